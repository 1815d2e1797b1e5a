"""Deleting what is old or too much, in bounded batches, from any table."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import Table

__all__ = ["RetentionRepository"]


class RetentionRepository:
    """The rows of one table, whoever owns them.

    Args:
        session: The transaction to work in.
        model: The table.
        time: The column that says how old a row is.
        id: The column of the primary key.
    """

    def __init__(self, session: AsyncSession, model: type[Table], *, time: str, id: str = "id") -> None:  # noqa: A002 - the usual name of the column
        self._session = session
        self._table: sa.Table = model.__table__  # type: ignore[attr-defined]  # set by SQLModel
        self._time = self._table.c[time]
        self._id = self._table.c[id]

    async def delete_before(self, moment: datetime, limit: int) -> int:
        """Delete at most ``limit`` rows of before a moment, oldest first; how many there were."""
        old = sa.select(self._id).where(self._time < moment).order_by(self._time).limit(limit)
        return await self._delete(old)

    async def delete_over(self, kept: int, limit: int) -> int:
        """Delete at most ``limit`` of the oldest rows of which there are more than ``kept``; how many there were."""
        connection = await self._session.connection()
        count = (await connection.execute(sa.select(sa.func.count()).select_from(self._table))).scalar_one()
        over = min(limit, count - kept)
        if over <= 0:
            return 0
        return await self._delete(sa.select(self._id).order_by(self._time).limit(over))

    async def _delete(self, ids: sa.Select[Any]) -> int:
        connection = await self._session.connection()
        return int((await connection.execute(sa.delete(self._table).where(self._id.in_(ids)))).rowcount)
