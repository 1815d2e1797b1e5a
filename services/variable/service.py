"""The variable service."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import SecretStr

from bedplate.services.base import Service
from bedplate.services.database.models import new_id, utc_now
from bedplate.services.engines.cipher import Cipher
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable.audit import AuditTrail, LogTrail
from bedplate.services.variable.backend import StoredVariable, VariableBackend
from bedplate.services.variable.checks import CHECKS
from bedplate.services.variable.editor import Editor
from bedplate.services.variable.errors import RevealDisabledError
from bedplate.services.variable.history import History
from bedplate.services.variable.keys import DataKeys, Master
from bedplate.services.variable.models import Revealed, Rotation, Variable, VariableType
from bedplate.services.variable.operator import OperatorVariables
from bedplate.services.variable.reader import VariableReader
from bedplate.services.variable.rotation import rotate
from bedplate.services.variable.sealing import Change, Sealing
from bedplate.services.variable.validation import checked_fields, checked_name, checked_type, checked_value

if TYPE_CHECKING:
    from bedplate.services.auth import Principal

__all__ = ["VariableService"]

_COUNT_INTERVAL = 30.0
"""Seconds for which health checks take what is sealed with each key as it was counted: that looks at every value."""

_log = get_logger("bedplate.variable")


class VariableService(Service, VariableReader):
    """Values and credentials of users, encrypted at rest, for their flows to use by name.

    Every method but the lifecycle's works on the variables of one user; another user's do not exist for it. Where a
    variable is asked for by name or id, a text is a name and a UUID an id. Every credential that is read or written
    is masked from then on in logs, traces and errors; a changed or deleted one still is for ``mask_retired``.

    Attributes:
        history: Earlier values of variables.
    """

    type = ServiceType.VARIABLE
    part_names = ("history",)
    checks = CHECKS

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        keyring: Keyring,
        redactor: Redactor,
        backend: VariableBackend,
        audit: AuditTrail | None = None,
    ) -> None:
        self._settings = settings.values.variable
        self._operator = OperatorVariables(self._settings.operator_variables)
        self._editor = Editor(self._settings, backend, redactor)
        VariableReader.__init__(self, self._ready, backend, self._editor, self._operator, redactor)
        self._keyring = keyring
        self._audit = audit or LogTrail()
        self.history = History(self._ready, backend, self._editor)
        self._sealing: Sealing | None = None
        self._undecryptable = telemetry.meter.counter(
            "bedplate_variable_undecryptable", "Stored values that could not be decrypted"
        )
        telemetry.meter.observe_gauge(
            "bedplate_variable_oldest_key_seconds",
            "Age of the oldest key that a value is encrypted with",
            self._key_age,
        )
        telemetry.meter.observe_gauge(
            "bedplate_variable_stale", "Values that are not encrypted with the key of now", self._stale
        )
        telemetry.meter.observe_gauge(
            "bedplate_redactor_values", "Secrets that are masked by their value", lambda: [(len(redactor), {})]
        )
        telemetry.meter.observe_counter(
            "bedplate_redactor_evicted", "Secrets no longer masked by value: too many", lambda: [(redactor.evicted, {})]
        )

    async def _start(self) -> None:
        wrapping = self._keyring.derive_all("variable/key")
        masters = [
            Master(key_id=key_id, wrapping=Cipher(wrapping[key_id], key_id), sealing=Cipher(key, key_id))
            for key_id, key in self._keyring.derive_all("variable").items()
        ]
        keys = DataKeys(self._backend, masters, self._keyring.origin)
        await keys.prove()
        self._sealing = Sealing(keys, self._redactor, self._undecryptable)
        for value in self._operator.all():
            self._redactor.register(value.get_secret_value(), holder="operator")

    async def _stop(self) -> None:
        self._sealing = None

    async def _check(self) -> str | None:
        await self._ready().keys.prove(counted_within=_COUNT_INTERVAL)
        return None

    @property
    def transactional(self) -> bool:
        """Whether changes are part of the caller's transaction of the database, and undone with it."""
        return self._backend.transactional

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
        sealing, now = await self._ready_to_seal(), utc_now()
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

    async def update(
        self,
        user_id: uuid.UUID,
        name_or_id: str | uuid.UUID,
        *,
        name: str | None = None,
        value: str | SecretStr | None = None,
        type: VariableType | str | None = None,  # noqa: A002 - the word of the contract
        default_fields: Sequence[str] | None = None,
        expected_version: int | None = None,
    ) -> Variable:
        """Change what is given and keep the rest; a rename keeps the value.

        Args:
            user_id: The owner.
            name_or_id: The variable.
            name: Its new name.
            value: Its new value; the one before is kept among its versions.
            type: Its new type.
            default_fields: Its new default fields.
            expected_version: The version that the change is meant for; None: whatever it has.

        Raises:
            InvalidVariableError: Something given is wrong, or a Credential should become Generic, and so readable,
                without a new value.
            VariableTooLargeError: The value has more than ``max_value_bytes``.
            VariableNotFoundError: The variable is not there.
            VariableExistsError: Another one has the new name.
            UndecryptableVariableError: The type changes, no value is given, and the old one cannot be decrypted.
            VariableChangedError: It has another version than ``expected_version``.
            ConflictError: Others keep changing it at the same time.
        """
        sealing = await self._ready_to_seal()
        change = Change(
            name=None if name is None else checked_name(name),
            type=None if type is None else checked_type(type),
            value=None if value is None else checked_value(value, self._settings.max_value_bytes),
            default_fields=None if default_fields is None else checked_fields(default_fields),
        )

        def made(old: StoredVariable) -> StoredVariable:
            return old if change == Change() else sealing.changed(old, change)

        new = await self._editor.change(user_id, name_or_id, made, expected=expected_version)
        if change != Change():
            self._editor.retire(new, change.value.get_secret_value() if change.value else None)
        return sealing.shown(new)

    async def reveal(
        self,
        user_id: uuid.UUID,
        name_or_id: str | uuid.UUID,
        *,
        version: int | None = None,
        actor: "Principal | None" = None,
    ) -> Revealed:
        """The value of a variable, for its owner to read; the audit log knows before the owner does.

        Args:
            user_id: The owner.
            name_or_id: The variable.
            version: An earlier version; None: the value of now.
            actor: The caller, for the audit log; None: the owner, from somewhere.

        Raises:
            RevealDisabledError: A setting keeps values from being shown.
            VariableNotFoundError: There is no such variable, or it has no such version any more.
            UndecryptableVariableError: The value cannot be decrypted.
        """
        sealing = self._ready()
        if not self._settings.reveal:
            raise RevealDisabledError
        stored = await self.history.stored(user_id, name_or_id, version)
        await sealing.know([stored])
        value = sealing.opened(stored)
        await self._audit.record(
            "variable_revealed",
            user_id=user_id,
            target_id=stored.id,
            actor=actor or user_id,
            name=self._redactor.text(stored.name),
            version=stored.version,
        )
        return Revealed(version=stored.version, value=value)

    async def rotate(self, progress: Callable[[Rotation], None] = lambda _: None) -> Rotation:
        """Encrypt the values of all users with a new key, or finish a rotation that was broken off.

        May run while every replica serves: each learns of the new key when it needs it. A value that cannot be
        decrypted is counted and left as it is.

        Args:
            progress: Told after each ``rotation_batch`` values.
        """
        sealing = self._ready()
        await self._audit.record("variable_keys_rotated", user_id=None, target_id=sealing.keys.current_key.key_id)
        return await rotate(self._backend, sealing, batch=self._settings.rotation_batch, progress=progress)

    async def delete_old(self, *, limit: int = 1_000) -> int:
        """Delete one batch of earlier values of anyone beyond ``version_retention``; how many there were."""
        self._ready()
        seconds = self._settings.version_retention
        return await self._backend.delete_old_versions(seconds, limit=limit) if seconds else 0

    async def delete(self, user_id: uuid.UUID, name_or_id: str | uuid.UUID) -> None:
        """Delete a variable.

        Raises:
            VariableNotFoundError: It is not there.
        """
        self._ready()
        variable_id = await self._backend.delete(user_id, name_or_id)
        if variable_id is None:
            raise self._editor.not_found(name_or_id)
        self._redactor.retire(variable_id, after=self._settings.mask_retired)
        _log.info("variable deleted", user_id=str(user_id), variable_id=str(variable_id))

    async def owners(self, after: uuid.UUID | None = None, *, limit: int = 500) -> Sequence[uuid.UUID]:
        """Users of whom variables may be kept though they are gone, in order.

        Args:
            after: The user behind whom to begin; None: the first one.
            limit: How many at most.
        """
        self._ready()
        return await self._backend.owners(after, limit)

    async def delete_owner(self, user_id: uuid.UUID) -> bool:
        """Delete all variables of a user, with their earlier values; whether there were any."""
        self._ready()
        found = await self._backend.list(user_id)
        deleted = await self._backend.delete_owner(user_id)
        for one in found:
            self._redactor.retire(one.id, after=self._settings.mask_retired)
        return deleted

    async def _ready_to_seal(self) -> Sealing:
        """As :meth:`_ready`, having looked whether another replica has made a new key."""
        sealing = self._ready()
        await sealing.keys.refresh()
        return sealing

    def _key_age(self) -> Iterator[tuple[float, dict[str, str]]]:
        oldest = self._sealing.keys.oldest_in_use if self._sealing else None
        if oldest is not None:
            yield (utc_now() - oldest).total_seconds(), {}

    def _stale(self) -> Iterator[tuple[float, dict[str, str]]]:
        if self._sealing is not None:
            yield self._sealing.keys.stale, {}

    def _ready(self) -> Sealing:
        self._require_started()
        if self._sealing is None:  # stopped while this call was on its way
            raise UnavailableError("the service is stopping", service=ServiceType.VARIABLE)
        return self._sealing
