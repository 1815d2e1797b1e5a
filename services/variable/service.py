"""The variable service."""

import builtins
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from pydantic import SecretStr

from bedplate.services.base import Service
from bedplate.services.database.models import new_id, utc_now
from bedplate.services.engines.cipher import Cipher
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import ConflictError, UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable.backend import StoredVariable, VariableBackend
from bedplate.services.variable.canary import check_key
from bedplate.services.variable.checks import CHECKS
from bedplate.services.variable.errors import InvalidVariableError, VariableNotFoundError
from bedplate.services.variable.models import Variable, VariableType
from bedplate.services.variable.operator import OperatorVariables
from bedplate.services.variable.sealing import Change, Sealing
from bedplate.services.variable.validation import checked_fields, checked_name, checked_type, checked_value

__all__ = ["VariableService"]

MAX_NAMES = 1000
"""Most names that are resolved at once."""

_ATTEMPTS = 10
_SHOWN_NAME = 100

_log = get_logger("bedplate.variable")


class VariableService(Service):
    """Values and credentials of users, encrypted at rest, for their flows to use by name.

    Every method but the lifecycle's works on the variables of one user; another user's do not exist for it. Where a
    variable is asked for by name or id, a text is a name and a UUID an id. Every credential that is read or written
    is masked from then on in logs, traces and errors; a changed or deleted one still is for ``mask_retired``.
    """

    type = ServiceType.VARIABLE
    checks = CHECKS

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        keyring: Keyring,
        redactor: Redactor,
        backend: VariableBackend,
    ) -> None:
        self._settings = settings.values.variable
        self._keyring = keyring
        self._redactor = redactor
        self._backend = backend
        self._operator = OperatorVariables(self._settings.operator_variables)
        self._sealing: Sealing | None = None
        self._undecryptable = telemetry.meter.counter(
            "bedplate_variable_undecryptable", "Stored values that could not be decrypted"
        )
        telemetry.meter.observe_gauge(
            "bedplate_redactor_values", "Secrets that are masked by their value", lambda: [(len(redactor), {})]
        )
        telemetry.meter.observe_counter(
            "bedplate_redactor_evicted", "Secrets no longer masked by value: too many", lambda: [(redactor.evicted, {})]
        )

    async def _start(self) -> None:
        cipher = Cipher(self._keyring.derive("variable"), self._keyring.key_id)
        await check_key(self._backend, cipher, self._keyring.origin)
        self._sealing = Sealing(cipher, self._redactor, self._undecryptable)
        for value in self._operator.all():
            self._redactor.register(value.get_secret_value(), holder="operator")

    async def _stop(self) -> None:
        self._sealing = None

    async def _check(self) -> str | None:
        await check_key(self._backend, self._ready().cipher, self._keyring.origin)
        return None

    async def create(
        self,
        user_id: uuid.UUID,
        name: str,
        value: str | SecretStr,
        *,
        type: VariableType | str = VariableType.CREDENTIAL,  # noqa: A002 - the word of the contract
        default_fields: Sequence[str] = (),
        id: uuid.UUID | None = None,  # noqa: A002 - the word of the contract
        created_at: datetime | None = None,
    ) -> Variable:
        """Make a variable.

        Args:
            user_id: The owner.
            name: What it is called.
            value: Its value.
            type: Credential or Generic.
            default_fields: The fields of components that it fills unless they say otherwise.
            id: The id of an imported one, kept; None makes one.
            created_at: When an imported one was made; None: now.

        Raises:
            InvalidVariableError: The name, value, type or default fields are wrong.
            VariableTooLargeError: The value has more than ``max_value_bytes``.
            VariableExistsError: The user has one of this name.
            TooManyVariablesError: The user has ``max_per_user`` of them.
        """
        sealing, now = self._ready(), utc_now()
        blank = StoredVariable(
            id=id or new_id(),
            user_id=user_id,
            name=checked_name(name),
            type=checked_type(type),
            value=b"",
            default_fields=checked_fields(default_fields),
            key_id="",
            version=1,
            created_at=created_at or now,
            updated_at=now,
        )
        stored = sealing.sealed(blank, checked_value(value, self._settings.max_value_bytes))
        await self._backend.add(stored, limit=self._settings.max_per_user)
        _log.info("variable created", user_id=str(user_id), variable_id=str(stored.id))
        return sealing.shown(stored)

    async def get(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> Variable:
        """One variable.

        Raises:
            VariableNotFoundError: It is not there.
            UndecryptableVariableError: It is a Generic one whose value cannot be decrypted.
        """
        return self._ready().shown(await self._stored(user_id, name_or_id))

    async def list(self, user_id: uuid.UUID) -> builtins.list[Variable]:
        """All variables of the user, oldest first; a value that cannot be decrypted is None and hides no other."""
        sealing = self._ready()
        return [sealing.shown(stored, strict=False) for stored in await self._backend.list(user_id)]

    async def update(
        self,
        user_id: uuid.UUID,
        name_or_id: str | uuid.UUID,
        *,
        name: str | None = None,
        value: str | SecretStr | None = None,
        type: VariableType | str | None = None,  # noqa: A002 - the word of the contract
        default_fields: Sequence[str] | None = None,
    ) -> Variable:
        """Change what is given and keep the rest; a rename keeps the value.

        Raises:
            InvalidVariableError: Something given is wrong, or a Credential should become Generic, and so readable,
                without a new value.
            VariableTooLargeError: The value has more than ``max_value_bytes``.
            VariableNotFoundError: The variable is not there.
            VariableExistsError: Another one has the new name.
            UndecryptableVariableError: The type changes, no value is given, and the old one cannot be decrypted.
            ConflictError: Others keep changing it at the same time.
        """
        sealing = self._ready()
        change = Change(
            name=None if name is None else checked_name(name),
            type=None if type is None else checked_type(type),
            value=None if value is None else checked_value(value, self._settings.max_value_bytes),
            default_fields=None if default_fields is None else checked_fields(default_fields),
        )
        for _ in range(_ATTEMPTS):
            old = await self._stored(user_id, name_or_id)
            if change == Change():
                return sealing.shown(old)
            new = sealing.changed(msgspec.structs.replace(old, version=old.version + 1, updated_at=utc_now()), change)
            if await self._backend.replace(new, version=old.version):
                self._retire(new, change)
                _log.info("variable changed", user_id=str(user_id), variable_id=str(new.id))
                return sealing.shown(new)
        raise ConflictError("the variable is being changed by others", service=ServiceType.VARIABLE, fix="try again")

    async def delete(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> None:
        """Delete a variable.

        Raises:
            VariableNotFoundError: It is not there.
        """
        self._ready()
        variable_id = await self._backend.delete(user_id, name_or_id)
        if variable_id is None:
            raise self._not_found(name_or_id)
        self._redactor.retire(variable_id, after=self._settings.mask_retired)
        _log.info("variable deleted", user_id=str(user_id), variable_id=str(variable_id))

    async def resolve(self, user_id: uuid.UUID, name: str) -> SecretStr:
        """The value of a variable for a flow of the user: the user's own, else an allow-listed one of the operator.

        Raises:
            VariableNotFoundError: There is neither.
            UndecryptableVariableError: The user's own cannot be decrypted; the operator's does not stand in for it.
        """
        found = await self.resolve_many(user_id, (name,))
        if name not in found:
            raise self._not_found(name)
        return found[name]

    async def resolve_many(self, user_id: uuid.UUID, names: Iterable[str]) -> Mapping[str, SecretStr]:
        """Those of the names that there are, as by :meth:`resolve`, in one read.

        Raises:
            InvalidVariableError: There are more than 1,000 names.
            UndecryptableVariableError: One of the user's own cannot be decrypted.
        """
        sealing = self._ready()
        wanted = tuple(dict.fromkeys(names))
        if len(wanted) > MAX_NAMES:
            raise InvalidVariableError(f"at most {MAX_NAMES} variables are resolved at once")
        found = {stored.name: sealing.opened(stored) for stored in await self._backend.get_many(user_id, wanted)}
        for name in wanted:
            if name not in found and (value := self._operator.get(name)):
                self._redactor.register(value.get_secret_value(), holder="operator")
                found[name] = value
        return found

    async def _stored(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> StoredVariable:
        self._ready()
        stored = await self._backend.get(user_id, name_or_id)
        if stored is None:
            raise self._not_found(name_or_id)
        return stored

    def _not_found(self, name_or_id: str | uuid.UUID) -> VariableNotFoundError:
        # A key pasted where its name belongs must not come back in the error.
        return VariableNotFoundError(self._redactor.text(str(name_or_id), limit=_SHOWN_NAME))

    def _retire(self, variable: StoredVariable, change: Change) -> None:
        """Stop masking, after a while, what is no longer the value of a credential."""
        kept = change.value.get_secret_value() if change.value else None
        if variable.type is VariableType.GENERIC:
            self._redactor.retire(variable.id, after=self._settings.mask_retired)
        elif kept is not None:
            self._redactor.retire(variable.id, keep=kept, after=self._settings.mask_retired)

    def _ready(self) -> Sealing:
        self._require_started()
        if self._sealing is None:  # stopped while this call was on its way
            raise UnavailableError("the service is stopping", service=ServiceType.VARIABLE)
        return self._sealing
