"""What the Secret of a user holds: an entry for each variable and for each of its earlier values."""

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from bedplate.services.database.models import new_id
from bedplate.services.logs import get_logger
from bedplate.services.variable.backend import StoredVariable
from bedplate.services.variable.errors import VariableStoreFullError
from bedplate.services.variable.models import VariableType

__all__ = ["MAX_BYTES", "Earlier", "Entry", "Vault"]

MAX_BYTES: Final = 1024 * 1024
"""Most bytes of all values of a Secret (``MaxSecretSize`` of the Kubernetes API)."""

_VARIABLE: Final = "variable."
_EARLIER: Final = "earlier."
_EARLIER_KEY: Final = re.compile(rf"{re.escape(_EARLIER)}([0-9a-f-]{{36}})\.(\d+)")

_TYPES: Final = {member.value: member for member in VariableType}

_log = get_logger("bedplate.variable")

T = TypeVar("T")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A variable as it is kept, in JSON; its id is in the key of the entry."""

    name: str
    type: str
    value: bytes
    key_id: str
    version: int
    default_fields: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier value as it is kept; the id of its variable and its version are in the key of the entry."""

    row_id: uuid.UUID
    type: str
    value: bytes
    key_id: str
    created_at: datetime


class Vault:
    """The variables of one user, as they were when the Secret was read, and as they are changed here.

    An entry that cannot be read, because somebody has edited it, is left alone and hides no other.

    Args:
        user_id: The owner.
        data: The entries of the Secret.

    Attributes:
        data: The entries after all changes.
        variables: The variables by id.
        earlier: The earlier values by variable and version.
    """

    def __init__(self, user_id: uuid.UUID, data: Mapping[str, bytes]) -> None:
        self.user_id = user_id
        self.data = dict(data)
        self.variables: dict[uuid.UUID, Entry] = {}
        self.earlier: dict[tuple[uuid.UUID, int], Earlier] = {}
        for key, raw in data.items():
            if key.startswith(_VARIABLE) and (entry := self._read(key, raw, Entry)):
                self.variables[uuid.UUID(key.removeprefix(_VARIABLE))] = entry
            elif (found := _EARLIER_KEY.fullmatch(key)) and (value := self._read(key, raw, Earlier)):
                self.earlier[uuid.UUID(found[1]), int(found[2])] = value

    def find(self, key: str | uuid.UUID) -> uuid.UUID | None:
        """The id of the variable of this name or id."""
        if isinstance(key, uuid.UUID):
            return key if key in self.variables else None
        return next((id_ for id_, entry in self.variables.items() if entry.name == key), None)

    def stored(self, id_: uuid.UUID) -> StoredVariable:
        """A variable in the words of the service."""
        entry = self.variables[id_]
        return StoredVariable(
            id=id_,
            user_id=self.user_id,
            name=entry.name,
            type=type_of(entry.type),
            value=entry.value,
            default_fields=entry.default_fields,
            key_id=entry.key_id,
            version=entry.version,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
        )

    def versions(self, id_: uuid.UUID) -> list[tuple[int, Earlier]]:
        """The earlier values of a variable with their versions, latest first."""
        found = [(version, value) for (owner, version), value in self.earlier.items() if owner == id_]
        return sorted(found, key=lambda item: -item[0])

    def put(self, id_: uuid.UUID, entry: Entry) -> None:
        """Keep a variable."""
        self.variables[id_] = entry
        self.data[f"{_VARIABLE}{id_}"] = msgspec.json.encode(entry)

    def put_earlier(self, id_: uuid.UUID, version: int, value: Earlier) -> None:
        """Keep an earlier value."""
        self.earlier[id_, version] = value
        self.data[_earlier_key(id_, version)] = msgspec.json.encode(value)

    def retire(self, id_: uuid.UUID) -> None:
        """Keep the value of now among the earlier ones."""
        entry = self.variables[id_]
        self.put_earlier(
            id_,
            entry.version,
            Earlier(
                row_id=new_id(),
                type=entry.type,
                value=entry.value,
                key_id=entry.key_id,
                created_at=entry.updated_at,
            ),
        )

    def trim(self, id_: uuid.UUID, kept: int) -> None:
        """Drop all but the latest earlier values of a variable."""
        for version, _ in self.versions(id_)[kept:]:
            self.drop_earlier(id_, version)

    def drop(self, id_: uuid.UUID) -> None:
        """Drop a variable with its earlier values."""
        self.trim(id_, 0)
        del self.variables[id_], self.data[f"{_VARIABLE}{id_}"]

    def drop_earlier(self, id_: uuid.UUID, version: int) -> None:
        """Drop an earlier value."""
        del self.earlier[id_, version], self.data[_earlier_key(id_, version)]

    def drop_older(self, before: datetime, *, limit: int) -> int:
        """Drop at most ``limit`` earlier values that are older; how many there were."""
        old = [key for key, value in self._oldest_first() if value.created_at < before][:limit]
        for key in old:
            self.drop_earlier(*key)
        return len(old)

    def fit(self) -> None:
        """Drop the oldest earlier values until the rest fits into a Secret.

        Raises:
            VariableStoreFullError: The variables alone do not.
        """
        size = sum(map(len, self.data.values()))
        for key, _ in self._oldest_first():
            if size <= MAX_BYTES:
                return
            size -= len(self.data[_earlier_key(*key)])
            self.drop_earlier(*key)
            _log.warning("an earlier value gives way: the Secret is full", user_id=str(self.user_id))
        if size > MAX_BYTES:
            raise VariableStoreFullError(size, MAX_BYTES)

    def usage(self) -> dict[str, int]:
        """How many values each key seals."""
        usage = Counter(entry.key_id for entry in self.variables.values())
        usage.update(value.key_id for value in self.earlier.values())
        return dict(usage)

    def oldest(self) -> datetime | None:
        """When the oldest of the earlier values was made."""
        return min((value.created_at for value in self.earlier.values()), default=None)

    def _oldest_first(self) -> list[tuple[tuple[uuid.UUID, int], Earlier]]:
        return sorted(self.earlier.items(), key=lambda item: item[1].created_at)

    def _read(self, key: str, raw: bytes, kind: type[T]) -> T | None:
        try:
            uuid.UUID(key.split(".")[1])
            return msgspec.json.decode(raw, type=kind)
        except ValueError:
            _log.error("an entry of a Secret cannot be read", user_id=str(self.user_id), entry=key)
            return None


def entry_of(variable: StoredVariable) -> Entry:
    """A variable of the service as it is kept."""
    return Entry(
        name=variable.name,
        type=variable.type.value,
        value=variable.value,
        key_id=variable.key_id,
        version=variable.version,
        default_fields=variable.default_fields,
        created_at=variable.created_at,
        updated_at=variable.updated_at,
    )


def type_of(name: str) -> VariableType:
    """The type of this name; of one that is none, in a damaged entry, nobody may read the value."""
    return _TYPES.get(name, VariableType.CREDENTIAL)


def _earlier_key(id_: uuid.UUID, version: int) -> str:
    return f"{_EARLIER}{id_}.{version}"


def sealed_values(vault: Vault, *, history: bool) -> Iterator[tuple[uuid.UUID, uuid.UUID, Entry | Earlier]]:
    """Row, variable and entry of each value of now, or of each earlier one, in the order of rows."""
    if history:
        rows = ((value.row_id, id_, value) for (id_, _), value in vault.earlier.items())
        yield from sorted(rows, key=lambda row: row[0])
    else:
        yield from ((id_, id_, entry) for id_, entry in sorted(vault.variables.items()))
