"""Queries over sessions of flow execution; every one is bound to the owner."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import FlowSessionRow

__all__ = ["FlowSessionRepository"]


class FlowSessionRepository:
    """Sessions of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: FlowSessionRow) -> FlowSessionRow:
        """Insert a session."""
        self._session.add(row)
        await self._session.flush()
        return row

    async def get(self, flow_id: uuid.UUID, session_id: str) -> FlowSessionRow | None:
        """The session that clients call ``session_id``, expired or not."""
        statement = select(FlowSessionRow).where(
            *self._named(session_id, flow_id), col(FlowSessionRow.user_id) == self._user_id
        )
        return (await self._session.exec(statement)).one_or_none()

    async def alive(
        self, *, flow_id: uuid.UUID | None, alive_since: datetime, offset: int, limit: int
    ) -> Sequence[FlowSessionRow]:
        """Sessions that were active since then, the last active first."""
        statement = select(FlowSessionRow).where(
            col(FlowSessionRow.user_id) == self._user_id, col(FlowSessionRow.last_active_at) >= alive_since
        )
        if flow_id is not None:
            statement = statement.where(col(FlowSessionRow.flow_id) == flow_id)
        newest = (col(FlowSessionRow.last_active_at).desc(), col(FlowSessionRow.id).desc())
        return (await self._session.exec(statement.order_by(*newest).offset(offset).limit(limit))).all()

    @staticmethod
    async def alive_of_all(
        session: AsyncSession, *, alive_since: datetime, offset: int, limit: int
    ) -> Sequence[FlowSessionRow]:
        """Sessions of anyone that were active since then, the last active first."""
        newest = (col(FlowSessionRow.last_active_at).desc(), col(FlowSessionRow.id).desc())
        statement = select(FlowSessionRow).where(col(FlowSessionRow.last_active_at) >= alive_since)
        return (await session.exec(statement.order_by(*newest).offset(offset).limit(limit))).all()

    async def update(self, row_id: uuid.UUID, **values: Any) -> FlowSessionRow | None:
        """Change columns of one session in one statement; None if it is gone."""
        statement = (
            sa.update(FlowSessionRow)
            .where(col(FlowSessionRow.user_id) == self._user_id, col(FlowSessionRow.id) == row_id)
            .values(**values)
            .returning(FlowSessionRow)
            .execution_options(populate_existing=True)
        )
        return (await self._session.exec(statement)).scalar_one_or_none()

    async def rename(self, old: str, new: str, flow_id: uuid.UUID | None) -> int:
        """Give sessions another session id; return how many there were."""
        mine = (col(FlowSessionRow.user_id) == self._user_id, *self._named(old, flow_id))
        return (await self._session.exec(sa.update(FlowSessionRow).where(*mine).values(session_id=new))).rowcount

    async def clashes(self, old: str, new: str, flow_id: uuid.UUID | None) -> bool:
        """Whether a flow that has a session ``old`` has one ``new`` too."""
        flows = sa.select(col(FlowSessionRow.flow_id)).where(
            col(FlowSessionRow.user_id) == self._user_id, *self._named(old, flow_id)
        )
        statement = select(FlowSessionRow.id).where(
            col(FlowSessionRow.user_id) == self._user_id,
            col(FlowSessionRow.session_id) == new,
            col(FlowSessionRow.flow_id).in_(flows),
        )
        return (await self._session.exec(statement)).first() is not None

    async def delete(self, session_id: str, flow_id: uuid.UUID | None) -> int:
        """Delete the sessions of this name; return how many there were."""
        mine = (col(FlowSessionRow.user_id) == self._user_id, *self._named(session_id, flow_id))
        return (await self._session.exec(sa.delete(FlowSessionRow).where(*mine))).rowcount

    @staticmethod
    async def purge(session: AsyncSession, idle_since: datetime, limit: int) -> int:
        """Delete sessions of anyone that have been idle since then; return how many, at most ``limit``."""
        expired = sa.select(col(FlowSessionRow.id)).where(col(FlowSessionRow.last_active_at) < idle_since).limit(limit)
        return (await session.exec(sa.delete(FlowSessionRow).where(col(FlowSessionRow.id).in_(expired)))).rowcount

    @staticmethod
    def _named(session_id: str, flow_id: uuid.UUID | None) -> tuple[sa.ColumnElement[bool], ...]:
        named = col(FlowSessionRow.session_id) == session_id
        return (named,) if flow_id is None else (named, col(FlowSessionRow.flow_id) == flow_id)
