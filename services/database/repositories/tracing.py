"""Queries over runs and their steps, for the tracing service."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, FlowRow, TraceRow, UserRow, metadata
from bedplate.services.database.repositories.cursor import beyond
from bedplate.services.database.upsert import insert_or

__all__ = ["TraceWriter", "TracingRepository", "latest_of_all"]

_TRACE = metadata.tables[f"{PREFIX}trace"]
_SPAN = metadata.tables[f"{PREFIX}span"]
_SUMMARY = [column for column in _TRACE.columns if column.name not in ("inputs", "outputs")]


class TraceWriter:
    """Writes runs and steps of any number of users in one session, in bulk."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def users(self, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are users."""
        return set((await self._session.exec(select(UserRow.id).where(col(UserRow.id).in_(list(ids))))).all())

    async def flows(self, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are flows."""
        return set((await self._session.exec(select(FlowRow.id).where(col(FlowRow.id).in_(list(ids))))).all())

    async def owners(self, run_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, uuid.UUID]:
        """The owner of each run that there is."""
        statement = select(TraceRow.id, TraceRow.user_id).where(col(TraceRow.id).in_(list(run_ids)))
        return dict((await self._session.exec(statement)).all())

    async def put_runs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert runs, or replace those of the same id and owner; one of another owner is left alone."""
        await self._put(_TRACE, rows, same="user_id")

    async def put_spans(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert steps, or replace those of the same id and run."""
        await self._put(_SPAN, rows, same="trace_id")

    async def touch(self, run_ids: Collection[uuid.UUID], now: datetime) -> None:
        """Note that these runs are going on."""
        going_on = col(TraceRow.id).in_(list(run_ids)), col(TraceRow.status) == "running"
        await self._session.exec(sa.update(TraceRow).where(*going_on).values(updated_at=now))

    async def _put(self, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, same: str) -> None:
        if not rows:
            return
        connection = await self._session.connection()
        statement = insert_or(connection.dialect, table)
        replaced = statement.on_conflict_do_update(
            index_elements=[table.c.id],
            set_={name: statement.excluded[name] for name in rows[0] if name not in ("id", same)},
            where=table.c[same] == statement.excluded[same],
        )
        await connection.execute(replaced, list(rows))


async def latest_of_all(
    session: AsyncSession, *, failed: bool, before: tuple[datetime, uuid.UUID] | None, limit: int
) -> Sequence[Any]:
    """The columns, but inputs and outputs, of runs of all users that began before the given one; latest first."""
    statement = sa.select(*_SUMMARY)
    if failed:
        statement = statement.where(_TRACE.c.status == "error")
    if before is not None:
        statement = statement.where(beyond(_TRACE.c.started_at, _TRACE.c.id, before, newest_first=True))
    statement = statement.order_by(_TRACE.c.started_at.desc(), _TRACE.c.id.desc()).limit(limit)
    connection = await session.connection()
    return (await connection.execute(statement)).all()


class TracingRepository:
    """Runs of one user.

    Args:
        session: The session to read in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def latest(
        self,
        *,
        flow_id: uuid.UUID | None,
        session_id: str | None,
        before: tuple[datetime, uuid.UUID] | None,
        limit: int,
    ) -> Sequence[Any]:
        """The columns, but inputs and outputs, of runs that began before the given one; latest first."""
        statement = sa.select(*_SUMMARY).where(_TRACE.c.user_id == self._user_id)
        if flow_id is not None:
            statement = statement.where(_TRACE.c.flow_id == flow_id)
        if session_id is not None:
            statement = statement.where(_TRACE.c.session_id == session_id)
        if before is not None:
            statement = statement.where(beyond(_TRACE.c.started_at, _TRACE.c.id, before, newest_first=True))
        statement = statement.order_by(_TRACE.c.started_at.desc(), _TRACE.c.id.desc()).limit(limit)
        connection = await self._session.connection()
        return (await connection.execute(statement)).all()

    async def get(self, run_id: uuid.UUID) -> TraceRow | None:
        """The run, if it is the user's."""
        statement = select(TraceRow).where(col(TraceRow.id) == run_id, col(TraceRow.user_id) == self._user_id)
        return (await self._session.exec(statement)).one_or_none()

    async def spans(self, run_id: uuid.UUID, limit: int) -> Sequence[Any]:
        """The columns of the steps of a run of the user, in the order in which they began."""
        statement = (
            sa.select(_SPAN)
            .join(_TRACE, _TRACE.c.id == _SPAN.c.trace_id)
            .where(_SPAN.c.trace_id == run_id, _TRACE.c.user_id == self._user_id)
            .order_by(_SPAN.c.started_at, _SPAN.c.id)
            .limit(limit)
        )
        connection = await self._session.connection()
        return (await connection.execute(statement)).all()
