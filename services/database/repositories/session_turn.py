"""Who runs in a session: queries over the lease in its row."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import FlowSessionRow

__all__ = ["SessionTurnRepository"]


class SessionTurnRepository:
    """The turns in sessions of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def exists(self, row_id: uuid.UUID) -> bool:
        """Whether there is such a session."""
        return (await self._session.exec(select(FlowSessionRow.id).where(*self._mine(row_id)))).first() is not None

    async def is_taken(self, row_id: uuid.UUID, now: datetime) -> bool:
        """Whether somebody has the turn."""
        taken = select(FlowSessionRow.id).where(*self._mine(row_id), col(FlowSessionRow.run_until) > now)
        return (await self._session.exec(taken)).first() is not None

    async def take(self, row_id: uuid.UUID, holder: uuid.UUID, *, now: datetime, until: datetime) -> bool:
        """Take the turn if nobody has it, in one statement; whether it was taken."""
        free = sa.or_(col(FlowSessionRow.run_until).is_(None), col(FlowSessionRow.run_until) <= now)
        return await self._update(sa.and_(*self._mine(row_id), free), run_holder=holder, run_until=until)

    async def renew(self, row_id: uuid.UUID, holder: uuid.UUID, until: datetime) -> bool:
        """Keep the turn; False if somebody else has it by now, or the session is gone."""
        return await self._update(self._held(row_id, holder), run_until=until)

    async def release(self, row_id: uuid.UUID, holder: uuid.UUID) -> bool:
        """Give the turn back; False if it was not held any more."""
        return await self._update(self._held(row_id, holder), run_holder=None, run_until=None)

    def _mine(self, row_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
        return col(FlowSessionRow.id) == row_id, col(FlowSessionRow.user_id) == self._user_id

    def _held(self, row_id: uuid.UUID, holder: uuid.UUID) -> sa.ColumnElement[bool]:
        return sa.and_(*self._mine(row_id), col(FlowSessionRow.run_holder) == holder)

    async def _update(self, which: sa.ColumnElement[bool], **values: object) -> bool:
        statement = sa.update(FlowSessionRow).where(which).values(**values)
        statement = statement.execution_options(synchronize_session=False)
        return (await self._session.exec(statement)).rowcount > 0
