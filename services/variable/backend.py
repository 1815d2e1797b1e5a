"""What the variable service asks of a backend: to keep sealed values, and the keys that they are sealed with."""

import builtins
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol

import msgspec

from bedplate.services.variable.models import VariableType

__all__ = ["DataKey", "Resealed", "SealedValue", "SealedVariable", "StaleValue", "StoredVariable", "VariableBackend"]


class SealedValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value, with what it was sealed for.

    Attributes:
        id: The variable.
        user_id: Its owner.
        type: Its type.
        value: The value, sealed for these three.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    type: VariableType
    value: bytes


class SealedVariable(SealedValue, frozen=True, kw_only=True):
    """What it takes to open the value of a variable by name."""

    name: str


class StoredVariable(SealedVariable, frozen=True, kw_only=True):
    """A variable as it is kept, or as it was at an earlier version.

    Attributes:
        key_id: The key that the value is sealed with.
        version: Raised by each change.
    """

    default_fields: tuple[str, ...]
    key_id: str
    version: int
    created_at: datetime
    updated_at: datetime


class StaleValue(SealedValue, frozen=True, kw_only=True):
    """A value that is not sealed with the key of now.

    Attributes:
        row_id: Where it is kept.
    """

    row_id: uuid.UUID


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """The same value, sealed anew: to be kept in place of ``old`` if that is still there."""

    row_id: uuid.UUID
    user_id: uuid.UUID
    old: bytes
    new: bytes


class DataKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that values are sealed with.

    Attributes:
        key_id: Tells it from others.
        canary: A known text sealed with it.
        wrapped: The key, sealed with a secret key; None for one that is derived from the secret key of the same id.
        created_at: When it was made; the latest seals new values.
    """

    key_id: str
    canary: bytes
    wrapped: bytes | None
    created_at: datetime


class VariableBackend(Protocol):
    """Keeps variables; every method sees those of one user alone, but those for keys and sealing anew.

    It is made by ``from_settings(settings)``, a class method that takes the engines that it declares as needed
    (``database``) by keyword as well.

    Attributes:
        transactional: Whether changes are part of the caller's transaction of the database where there is one, and so
            undone with it.
    """

    transactional: ClassVar[bool]

    async def add(self, variable: StoredVariable, *, limit: int) -> None:
        """Keep a new variable.

        Raises:
            VariableExistsError: The user has one of this name.
            TooManyVariablesError: The user has ``limit`` of them already.
        """
        ...

    async def get(self, user_id: uuid.UUID, key: str | uuid.UUID) -> StoredVariable | None:
        """The variable of this name or id."""
        ...

    async def get_many(self, user_id: uuid.UUID, names: Sequence[str]) -> Sequence[SealedVariable]:
        """Those of the names that there are, in one read, in no order."""
        ...

    async def list(self, user_id: uuid.UUID) -> Sequence[StoredVariable]:
        """All of them, oldest first."""
        ...

    async def replace(self, variable: StoredVariable, *, old: StoredVariable, history: int) -> bool:
        """Replace the variable of the same id if it has the version of ``old``; False if it has not, or is gone.

        Where its value is another, the one before is kept with its version, and of those the ``history`` latest.

        Raises:
            VariableExistsError: Another one has the new name.
        """
        ...

    async def versions(self, variable: StoredVariable) -> Sequence[StoredVariable]:
        """What the variable was at earlier versions, latest first."""
        ...

    async def delete(self, user_id: uuid.UUID, key: str | uuid.UUID) -> uuid.UUID | None:
        """Delete the variable of this name or id, with its earlier versions; the id of what was deleted."""
        ...

    async def delete_old_versions(self, seconds: float, *, limit: int) -> int:
        """Delete at most ``limit`` earlier versions of anyone that are older than this; how many there were."""
        ...

    async def owners(self, after: uuid.UUID | None, limit: int) -> Sequence[uuid.UUID]:
        """Users of whom something may be kept though they are gone, in order, behind ``after``.

        None, where what a user has is deleted in the transaction that deletes the user.
        """
        ...

    async def delete_owner(self, user_id: uuid.UUID) -> bool:
        """Delete all variables of a user; whether there were any."""
        ...

    async def keys(self) -> Sequence[DataKey]:
        """The keys, oldest first."""
        ...

    async def add_key(self, key: DataKey) -> None:
        """Keep a key, unless it is there."""
        ...

    async def rewrap(self, key_id: str, *, old: bytes, new: bytes) -> None:
        """Keep another sealed form of a key, if the old one is still there."""
        ...

    async def delete_unused_keys(self, before: datetime, *, keep: str) -> int:
        """Delete keys made before then that no value needs, but not ``keep``; how many there were."""
        ...

    async def key_usage(self) -> Mapping[str, int]:
        """How many values, earlier ones included, are sealed with each key that seals any."""
        ...

    async def stale(
        self, key_id: str, *, history: bool, after: StaleValue | None, limit: int
    ) -> builtins.list[StaleValue]:
        """Values of anyone, of now or earlier, that are sealed with another key, in an order that does not change.

        Args:
            key_id: The key.
            history: Whether among the earlier values, or among those of now.
            after: The value behind which to begin; None: the first one.
            limit: How many at most.
        """
        ...

    async def reseal(self, key_id: str, values: Sequence[Resealed], *, history: bool) -> None:
        """Replace values by the same ones sealed with this key; what was changed meanwhile is left alone."""
        ...
