"""Changes of variables: each is made of what is stored now, and stored only if that has not changed meanwhile."""

import uuid
from collections.abc import Callable

import msgspec

from bedplate.services.database.models import utc_now
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import ConflictError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.variable import VariableSettings
from bedplate.services.variable.backend import StoredVariable, VariableBackend
from bedplate.services.variable.errors import VariableChangedError, VariableNotFoundError
from bedplate.services.variable.models import VariableType

__all__ = ["Editor"]

_ATTEMPTS = 10
_SHOWN_NAME = 100

_log = get_logger("bedplate.variable")


class Editor:
    """Finds and replaces stored variables.

    Args:
        settings: The settings of the service.
        backend: Where they are.
        redactor: Masks the values of credentials.
    """

    def __init__(self, settings: VariableSettings, backend: VariableBackend, redactor: Redactor) -> None:
        self._settings = settings
        self._backend = backend
        self._redactor = redactor

    async def stored(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> StoredVariable:
        """The variable as it is stored.

        Raises:
            VariableNotFoundError: It is not there.
        """
        stored = await self._backend.get(user_id, name_or_id)
        if stored is None:
            raise self.not_found(name_or_id)
        return stored

    async def change(
        self,
        user_id: uuid.UUID,
        name_or_id: str | uuid.UUID,
        make: Callable[[StoredVariable], StoredVariable],
        *,
        expected: int | None,
    ) -> StoredVariable:
        """Replace a variable by what ``make`` makes of it, which may be called again with a newer one.

        Args:
            user_id: The owner.
            name_or_id: The variable.
            make: Returns the new one, whose version and time are set here; or the same, to leave all as it is.
            expected: The version that the change is meant for; None: whatever it has.

        Raises:
            VariableNotFoundError: It is not there.
            VariableChangedError: It has another version than ``expected``.
            VariableExistsError: The user has another one of the new name.
            ConflictError: Others keep changing it at the same time.
        """
        for _ in range(_ATTEMPTS):
            old = await self.stored(user_id, name_or_id)
            if expected is not None and old.version != expected:
                raise VariableChangedError(expected, old.version)
            made = make(old)
            if made is old:
                return old
            new = msgspec.structs.replace(made, version=old.version + 1, updated_at=utc_now())
            if await self._backend.replace(new, old=old, history=self._settings.max_versions):
                _log.info("variable changed", user_id=str(user_id), variable_id=str(new.id))
                return new
        raise ConflictError("the variable is being changed by others", service=ServiceType.VARIABLE, fix="try again")

    def retire(self, variable: StoredVariable, kept: str | None) -> None:
        """Stop masking, after a while, what is no longer the value of a credential.

        Args:
            variable: The variable as it is now.
            kept: Its new value; None: it has the one that it had.
        """
        if variable.type is VariableType.GENERIC:
            self._redactor.retire(variable.id, after=self._settings.mask_retired)
        elif kept is not None:
            self._redactor.retire(variable.id, keep=kept, after=self._settings.mask_retired)

    def not_found(self, name_or_id: str | uuid.UUID) -> VariableNotFoundError:
        """The error for a variable that is not there."""
        # A key pasted where its name belongs must not come back in the error.
        return VariableNotFoundError(self._redactor.text(str(name_or_id), limit=_SHOWN_NAME))
