"""Queries over failed logins, for the auth service."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, LoginThrottleRow, metadata
from bedplate.services.database.upsert import insert_or

__all__ = ["LoginThrottleRepository"]

_TABLE = metadata.tables[f"{PREFIX}login_throttle"]


class LoginThrottleRepository:
    """Failed logins in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def locked(self, keys: Collection[str], now: datetime) -> Sequence[datetime]:
        """Until when those of the keys that are locked are so."""
        until = col(LoginThrottleRow.locked_until)
        query = select(until).where(col(LoginThrottleRow.key).in_(list(keys)), until > now)
        return [moment for moment in (await self._session.exec(query)).all() if moment is not None]

    async def for_update(self, key: str, now: datetime) -> LoginThrottleRow:
        """The row of a key, made if there is none, kept from others until the transaction ends."""
        connection = await self._session.connection()
        new = {"key": key, "failures": 0, "lockouts": 0, "window_ends_at": now, "expires_at": now}
        await connection.execute(
            insert_or(connection.dialect, _TABLE).values(new).on_conflict_do_nothing(index_elements=[_TABLE.c.key])
        )
        query = select(LoginThrottleRow).where(col(LoginThrottleRow.key) == key).with_for_update()
        return (await self._session.exec(query.execution_options(populate_existing=True))).one()

    async def delete(self, key: str) -> bool:
        """Forget a key; whether there was anything to forget."""
        return await self._delete(col(LoginThrottleRow.key) == key) > 0

    async def prune(self, now: datetime) -> int:
        """Delete the rows that have expired; how many there were."""
        return await self._delete(col(LoginThrottleRow.expires_at) <= now)

    async def _delete(self, condition: sa.ColumnElement[bool]) -> int:
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.delete(LoginThrottleRow).where(condition).execution_options(synchronize_session=False)
        )
        return result.rowcount
