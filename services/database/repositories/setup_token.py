"""Queries over the one-time token of the set-up, for the auth service."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, SetupTokenRow, metadata
from bedplate.services.database.upsert import insert_or

__all__ = ["SetupTokenRepository"]

_TABLE = metadata.tables[f"{PREFIX}setup_token"]


class SetupTokenRepository:
    """The set-up token in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def replace(self, row: SetupTokenRow) -> None:
        """Make this the only token, also when another replica makes one at the same moment."""
        connection = await self._session.connection()
        values = row.model_dump()
        insert = insert_or(connection.dialect, _TABLE).values(values)
        del values["id"]
        await connection.execute(insert.on_conflict_do_update(index_elements=[_TABLE.c.id], set_=values))

    async def clear(self) -> None:
        """Forget the token."""
        await self._session.exec(sa.delete(SetupTokenRow))

    async def good(self, token_hash: str, now: datetime) -> bool:
        """Whether it is the token, and not expired."""
        query = select(SetupTokenRow.id).where(*self._matching(token_hash, now))
        return (await self._session.exec(query)).first() is not None

    async def consume(self, token_hash: str, now: datetime) -> bool:
        """Delete the token if it is this one and not expired: of any number of callers, one gets True."""
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.delete(SetupTokenRow).where(*self._matching(token_hash, now))
        )
        return result.rowcount == 1

    @staticmethod
    def _matching(token_hash: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
        return col(SetupTokenRow.token_hash) == token_hash, col(SetupTokenRow.expires_at) > now
