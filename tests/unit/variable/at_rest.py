"""A look at what a backend of the variables keeps."""

import base64
import uuid
from typing import NamedTuple, Protocol

import msgspec
import pytest
from sqlmodel import select
from tests.servers.fake_kubernetes import FakeKubernetes

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import VariableRow, VariableVersionRow

__all__ = ["AtRest", "InDatabase", "InSecrets", "Value", "both"]

both = pytest.mark.parametrize("backend", ["database", "kubernetes"])
"""Has a test run on either backend."""


class Value(NamedTuple):
    """A sealed value as it is kept; ``earlier``: not that of now."""

    user_id: uuid.UUID
    key_id: str
    value: bytes
    earlier: bool


class AtRest(Protocol):
    """What a backend keeps."""

    async def values(self) -> list[Value]:
        """All values, earlier ones included."""
        ...


class InDatabase:
    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    async def values(self) -> list[Value]:
        async with self._database.session() as session:
            now = (await session.exec(select(VariableRow))).all()
            earlier = (await session.exec(select(VariableVersionRow))).all()
        return [Value(row.user_id, row.key_id, row.value, False) for row in now] + [
            Value(row.user_id, row.key_id, row.value, True) for row in earlier
        ]


class InSecrets:
    class _Kept(msgspec.Struct):
        key_id: str
        value: bytes

    def __init__(self, api: FakeKubernetes) -> None:
        self._api = api

    async def values(self) -> list[Value]:
        found = []
        for secret in self._api.secrets.values():
            owner = secret["metadata"]["labels"].get("bedplate/user")
            for key, entry in secret["data"].items() if owner else ():
                kept = msgspec.json.decode(base64.b64decode(entry), type=self._Kept)
                found.append(Value(uuid.UUID(owner), kept.key_id, kept.value, key.startswith("earlier.")))
        return found
