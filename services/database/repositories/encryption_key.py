"""Queries over the keys that values of variables are encrypted with, and over the values, whoever owns them."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, EncryptionKeyRow, metadata
from bedplate.services.database.violations import violations

__all__ = ["EncryptionKeyRepository"]

_VALUES = (metadata.tables[f"{PREFIX}variable"], metadata.tables[f"{PREFIX}variable_version"])


class EncryptionKeyRepository:
    """Keys, and the encrypted values of all users: for their encryption alone, never for reading them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> Sequence[EncryptionKeyRow]:
        """All keys, oldest first."""
        statement = select(EncryptionKeyRow).order_by(col(EncryptionKeyRow.created_at), col(EncryptionKeyRow.key_id))
        return (await self._session.exec(statement)).all()

    async def add(self, row: EncryptionKeyRow) -> None:
        """Insert a key.

        Raises:
            UniqueViolationError: It is there already.
        """
        with violations():
            self._session.add(row)
            await self._session.flush()

    async def rewrap(self, key_id: str, *, old: bytes, new: bytes) -> None:
        """Replace the encrypted form of a key, if it is still the old one."""
        await self._session.exec(
            sa.update(EncryptionKeyRow)
            .where(col(EncryptionKeyRow.key_id) == key_id, col(EncryptionKeyRow.wrapped) == old)
            .values(wrapped=new)
            .execution_options(synchronize_session=False)
        )

    async def delete_unused(self, before: datetime, keep: str) -> int:
        """Delete the keys that were made before then and that no value needs, but not ``keep``; how many."""
        used = sa.union(*(sa.select(table.c.key_id) for table in _VALUES))
        statement = sa.delete(EncryptionKeyRow).where(
            col(EncryptionKeyRow.created_at) < before,
            col(EncryptionKeyRow.key_id) != keep,
            col(EncryptionKeyRow.key_id).not_in(used),
        )
        return (await self._session.exec(statement)).rowcount

    async def usage(self) -> Mapping[str, int]:
        """How many values each key encrypts that encrypts any."""
        counted = sa.union_all(
            *(sa.select(table.c.key_id, sa.func.count().label("n")).group_by(table.c.key_id) for table in _VALUES)
        ).subquery()
        statement = sa.select(counted.c.key_id, sa.func.sum(counted.c.n)).group_by(counted.c.key_id)
        connection = await self._session.connection()
        return {key_id: int(count) for key_id, count in (await connection.execute(statement)).all()}

    async def stale(self, key_id: str, *, history: bool, after: uuid.UUID | None, limit: int) -> Sequence[Any]:
        """Row id, variable id, owner, type and value of values with another key than this, in the order of row ids.

        Args:
            key_id: The key.
            history: Whether among the earlier values, or among those of now.
            after: The row id behind which to begin.
            limit: How many at most.
        """
        table = _VALUES[history]
        variable_id = table.c.variable_id if history else table.c.id
        statement = sa.select(
            table.c.id, variable_id.label("variable_id"), table.c.user_id, table.c.type, table.c.value
        )
        statement = statement.where(table.c.key_id != key_id)
        if after is not None:
            statement = statement.where(table.c.id > after)
        connection = await self._session.connection()
        return (await connection.execute(statement.order_by(table.c.id).limit(limit))).all()

    async def reseal(self, key_id: str, values: Sequence[Mapping[str, Any]], *, history: bool) -> None:
        """Replace values by the same ones under another key, each if it is still the ``old`` one.

        Args:
            key_id: The key.
            values: ``row_id``, ``old`` and ``new`` of each.
            history: As for :meth:`stale`.
        """
        table = _VALUES[history]
        statement = (
            sa.update(table)
            .where(table.c.id == sa.bindparam("row_id"), table.c.value == sa.bindparam("old"))
            .values(value=sa.bindparam("new"), key_id=key_id)
        )
        connection = await self._session.connection()
        await connection.execute(statement, list(values))
