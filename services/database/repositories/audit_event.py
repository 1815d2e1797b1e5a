"""Queries over security events, for the auth service."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import AuditEventRow
from bedplate.services.database.repositories.cursor import beyond

__all__ = ["AuditEventRepository"]


class AuditEventRepository:
    """Security events in one session: added and read, and deleted when they are old, never changed."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, row: AuditEventRow) -> None:
        """Insert an event."""
        self._session.add(row)
        await self._session.flush()

    async def latest(
        self,
        *,
        kinds: Sequence[str],
        user_id: uuid.UUID | None,
        actor_id: uuid.UUID | None,
        since: datetime | None,
        until: datetime | None,
        before: tuple[datetime, uuid.UUID] | None,
        limit: int,
    ) -> Sequence[AuditEventRow]:
        """Events before the given one that are all of what is asked for; latest first."""
        at, row_id = col(AuditEventRow.at), col(AuditEventRow.id)
        query = select(AuditEventRow)
        if kinds:
            query = query.where(col(AuditEventRow.kind).in_(kinds))
        if user_id is not None:
            query = query.where(col(AuditEventRow.user_id) == user_id)
        if actor_id is not None:
            query = query.where(col(AuditEventRow.actor_id) == actor_id)
        if since is not None:
            query = query.where(at >= since)
        if until is not None:
            query = query.where(at < until)
        if before is not None:
            query = query.where(beyond(at, row_id, before, newest_first=True))
        return (await self._session.exec(query.order_by(at.desc(), row_id.desc()).limit(limit))).all()

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` of the events before a moment, oldest first; how many there were."""
        oldest = select(AuditEventRow.id).where(col(AuditEventRow.at) < before).order_by(col(AuditEventRow.at))
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.delete(AuditEventRow)
            .where(col(AuditEventRow.id).in_(oldest.limit(limit)))
            .execution_options(synchronize_session=False)
        )
        return result.rowcount
