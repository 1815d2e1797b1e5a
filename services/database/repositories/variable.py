"""Queries over variables and the keys that they are encrypted with, for the variable service."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, EncryptionKeyRow, VariableRow, metadata
from bedplate.services.database.violations import violations

__all__ = ["EncryptionKeyRepository", "VariableRepository"]

_CHANGEABLE = ("name", "type", "value", "default_fields", "key_id", "version", "updated_at")
_table = metadata.tables[f"{PREFIX}variable"]
_NAMED = sa.select(_table.c.id, _table.c.name, _table.c.type, _table.c.value).where(
    _table.c.user_id == sa.bindparam("owner"), _table.c.name.in_(sa.bindparam("names", expanding=True))
)


class VariableRepository:
    """Variables of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: VariableRow) -> None:
        """Insert a variable.

        Raises:
            UniqueViolationError: The user has one of this name.
        """
        with violations():
            self._session.add(row)
            await self._session.flush()

    async def get(self, key: str | uuid.UUID) -> VariableRow | None:
        """The variable of this name or id."""
        return (await self._session.exec(select(VariableRow).where(*self._is(key)))).one_or_none()

    async def named(self, names: Sequence[str]) -> Sequence[Any]:
        """Id, name, type and value of those of the names that there are."""
        connection = await self._session.connection()
        return (await connection.execute(_NAMED, {"owner": self._user_id, "names": list(names)})).all()

    async def all(self) -> Sequence[VariableRow]:
        """All of them, oldest first."""
        statement = select(VariableRow).where(col(VariableRow.user_id) == self._user_id).order_by(col(VariableRow.id))
        return (await self._session.exec(statement)).all()

    async def count(self) -> int:
        """How many there are."""
        statement = select(sa.func.count()).select_from(VariableRow).where(col(VariableRow.user_id) == self._user_id)
        return (await self._session.exec(statement)).one()

    async def replace(self, row: VariableRow, version: int) -> bool:
        """Write the row over the one of its id if that has ``version``; whether it had.

        Raises:
            UniqueViolationError: Another one has the new name.
        """
        statement = (
            sa.update(VariableRow)
            .where(*self._is(row.id), col(VariableRow.version) == version)
            .values({name: getattr(row, name) for name in _CHANGEABLE})
            .execution_options(synchronize_session=False)
        )
        with violations():
            return (await self._session.exec(statement)).rowcount == 1

    async def delete(self, key: str | uuid.UUID) -> uuid.UUID | None:
        """Delete the variable of this name or id; its id."""
        statement = sa.delete(VariableRow).where(*self._is(key)).returning(col(VariableRow.id))
        return (await self._session.exec(statement)).scalar_one_or_none()

    def _is(self, key: str | uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
        column = col(VariableRow.id) if isinstance(key, uuid.UUID) else col(VariableRow.name)
        return (col(VariableRow.user_id) == self._user_id, column == key)


class EncryptionKeyRepository:
    """The keys that variables are encrypted with."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def canaries(self) -> Mapping[str, bytes]:
        """What proves each key, by the id of the key."""
        return {row.key_id: row.canary for row in (await self._session.exec(select(EncryptionKeyRow))).all()}

    async def add(self, key_id: str, canary: bytes) -> None:
        """Insert a key.

        Raises:
            UniqueViolationError: It is there already.
        """
        with violations():
            self._session.add(EncryptionKeyRow(key_id=key_id, canary=canary))
            await self._session.flush()

    async def used(self) -> set[str]:
        """The ids of the keys of all variables, of whatever user."""
        return set((await self._session.exec(select(VariableRow.key_id).distinct())).all())
