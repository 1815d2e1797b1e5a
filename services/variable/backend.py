"""What the variable service asks of a backend: to keep sealed values, and proofs of the keys they are sealed with."""

import builtins
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from bedplate.services.variable.models import VariableType

__all__ = ["SealedVariable", "StoredVariable", "VariableBackend"]


class SealedVariable(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to open the value of a variable.

    Attributes:
        value: The value, sealed for the owner, the id and the type.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    name: str
    type: VariableType
    value: bytes


class StoredVariable(SealedVariable, frozen=True, kw_only=True):
    """A variable as it is kept.

    Attributes:
        key_id: The key that the value is sealed with.
        version: Raised by each change.
    """

    default_fields: tuple[str, ...]
    key_id: str
    version: int
    created_at: datetime
    updated_at: datetime


class VariableBackend(Protocol):
    """Keeps variables; every method sees those of one user alone.

    It is made by ``from_settings(settings)``, a class method that takes the engines that it declares as needed
    (``database``) by keyword as well.
    """

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

    async def replace(self, variable: StoredVariable, *, version: int) -> bool:
        """Replace the variable of the same id if it has this version; False if it has not, or is gone.

        Raises:
            VariableExistsError: Another one has the new name.
        """
        ...

    async def delete(self, user_id: uuid.UUID, key: str | uuid.UUID) -> uuid.UUID | None:
        """Delete the variable of this name or id; the id of what was deleted."""
        ...

    async def canaries(self) -> Mapping[str, bytes]:
        """The proof of each key in use, by the id of the key."""
        ...

    async def add_canary(self, key_id: str, canary: bytes) -> None:
        """Keep the proof of a key, unless there is one."""
        ...

    async def key_ids(self) -> builtins.set[str]:
        """The ids of the keys that stored variables are sealed with."""
        ...
