"""Stored variables and their values: sealing, opening, and keeping credentials out of logs, traces and errors."""

from collections.abc import Iterable

import msgspec
from pydantic import SecretStr

from bedplate.services.engines.cipher import SealError
from bedplate.services.engines.redactor import Redactor
from bedplate.services.logs import get_logger
from bedplate.services.telemetry import Counter
from bedplate.services.variable.backend import Resealed, SealedValue, SealedVariable, StaleValue, StoredVariable
from bedplate.services.variable.errors import InvalidVariableError, UndecryptableVariableError
from bedplate.services.variable.keys import DataKeys
from bedplate.services.variable.models import Variable, VariableType, VariableVersion

__all__ = ["Change", "Sealing"]

_KINDS = {kind: kind.value.encode() for kind in VariableType}

_log = get_logger("bedplate.variable")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change of a variable; None: nothing."""

    name: str | None = None
    type: VariableType | None = None
    value: SecretStr | None = None
    default_fields: tuple[str, ...] | None = None


class Sealing:
    """Turns values into stored ones and back. A value opens as what it was sealed for: owner, variable and type.

    Args:
        keys: The keys that values are sealed with.
        redactor: Masks the values of credentials, on behalf of their variable.
        failures: Counts values that cannot be opened.
    """

    def __init__(self, keys: DataKeys, redactor: Redactor, failures: Counter) -> None:
        self.keys = keys
        self._redactor = redactor
        self._failures = failures

    def sealed(self, variable: StoredVariable, value: SecretStr) -> StoredVariable:
        """Return the variable with this value."""
        self._mask(variable, value)
        cipher = self.keys.current
        data = cipher.seal(value.get_secret_value().encode(), _context(variable))
        return msgspec.structs.replace(variable, value=data, key_id=cipher.key_id)

    async def know(self, values: Iterable[SealedValue]) -> None:
        """Read the keys anew if one of the values is sealed with one that is not known."""
        await self.keys.know(value.value for value in values)

    def resealed(self, value: StaleValue) -> Resealed | None:
        """The same value sealed with the key of now; None if it cannot be opened, which is counted."""
        context = _context(value)
        try:
            plain = self.keys.open(value.value, context)
        except SealError as error:
            self._failures.add(1)
            _log.error("a variable cannot be decrypted", variable_id=str(value.id), why=str(error))
            return None
        new = self.keys.current.seal(plain, context)
        return Resealed(row_id=value.row_id, user_id=value.user_id, old=value.value, new=new)

    def opened(self, variable: SealedVariable) -> SecretStr:
        """Return the value of the variable.

        Raises:
            UndecryptableVariableError: It was changed, belongs to another variable, or needs another key.
        """
        try:
            value = SecretStr(self.keys.open(variable.value, _context(variable)).decode())
        except SealError as error:
            self._failures.add(1)
            _log.error("a variable cannot be decrypted", variable_id=str(variable.id), why=str(error))
            raise UndecryptableVariableError(self._redactor.text(variable.name), why=str(error)) from None
        self._mask(variable, value)
        return value

    def changed(self, variable: StoredVariable, change: Change) -> StoredVariable:
        """Return the variable after the change.

        Raises:
            InvalidVariableError: A Credential would become Generic with its old value, which nobody may read.
            UndecryptableVariableError: The type changes, and the old value cannot be opened.
        """
        new = msgspec.structs.replace(
            variable,
            name=variable.name if change.name is None else change.name,
            type=variable.type if change.type is None else change.type,
            default_fields=variable.default_fields if change.default_fields is None else change.default_fields,
        )
        if change.value is not None:
            return self.sealed(new, change.value)
        if new.type is variable.type:
            return new
        if variable.type is VariableType.CREDENTIAL:
            raise InvalidVariableError(
                "a Credential can become Generic only with a new value, since its old one must stay unread",
                fix="give a value as well",
            )
        return self.sealed(new, self.opened(variable))

    def shown(self, variable: StoredVariable, *, strict: bool = True) -> Variable:
        """Return what the owner may see of the variable.

        Args:
            variable: The variable.
            strict: Whether to raise where the value of a Generic one cannot be opened, or to leave it out.

        Raises:
            UndecryptableVariableError: It cannot, and ``strict``.
        """
        value = self._readable(variable, strict=strict)
        return Variable(
            id=variable.id,
            name=variable.name,
            type=variable.type,
            value=value,
            default_fields=variable.default_fields,
            version=variable.version,
            created_at=variable.created_at,
            updated_at=variable.updated_at,
        )

    def shown_version(self, variable: StoredVariable, *, current: bool) -> VariableVersion:
        """What the owner may see of a variable as it is, or as it was; a value that cannot be opened is left out."""
        return VariableVersion(
            version=variable.version,
            current=current,
            type=variable.type,
            value=self._readable(variable, strict=False),
            created_at=variable.updated_at,
        )

    def _readable(self, variable: StoredVariable, *, strict: bool) -> str | None:
        if variable.type is VariableType.CREDENTIAL:
            return None
        try:
            return self.opened(variable).get_secret_value()
        except UndecryptableVariableError:
            if strict:
                raise
            return None

    def _mask(self, variable: SealedValue, value: SecretStr) -> None:
        # A Generic value is for reading: masking "production" wherever it stands would help nobody.
        if variable.type is VariableType.CREDENTIAL:
            self._redactor.register(value.get_secret_value(), holder=variable.id)


def _context(variable: SealedValue) -> bytes:
    """What a value is sealed for; every part but the last is of fixed length."""
    return b"value\0" + variable.user_id.bytes + variable.id.bytes + _KINDS[variable.type]
