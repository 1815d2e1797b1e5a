"""Queries of the job queue service."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from bedplate.services.database.models import PREFIX, JobEventRow, JobRow, metadata
from bedplate.services.database.repositories.cursor import beyond
from bedplate.services.database.repositories.instance import InstanceRepository

__all__ = ["JobRepository"]

_UNFINISHED = ("queued", "running")

_INSTANCES = metadata.tables[f"{PREFIX}instance"]
_JOBS = metadata.tables[f"{PREFIX}job"]
_EVENTS = metadata.tables[f"{PREFIX}job_event"]

_update_job = (
    sa.update(_JOBS)
    .where(_JOBS.c.id == sa.bindparam("job_id"))
    .values({name: sa.bindparam(name) for name in ("status", "error", "started_at", "finished_at", "last_event_id")})
)


class JobRepository(InstanceRepository):
    """Rows of jobs, their events, and the instances that run them."""

    async def orphans(self, limit: int) -> Sequence[JobRow]:
        """Unfinished jobs of no living instance."""
        alive = sa.select(_INSTANCES.c.id)
        statement = (
            select(JobRow)
            .where(
                col(JobRow.status).in_(_UNFINISHED),
                sa.or_(col(JobRow.instance_id).is_(None), col(JobRow.instance_id).not_in(alive)),
            )
            .limit(limit)
        )
        return (await self._session.exec(statement)).all()

    async def insert_jobs(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add jobs."""
        await self._execute(sa.insert(_JOBS), rows)

    async def update_jobs(self, rows: Sequence[dict[str, Any]]) -> None:
        """Set ``status``, ``error``, ``started_at``, ``finished_at`` and ``last_event_id`` of each ``job_id``."""
        await self._execute(_update_job, rows)

    async def insert_events(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add runs of events."""
        await self._execute(sa.insert(_EVENTS), rows)

    async def get(self, user_id: uuid.UUID, job_id: uuid.UUID) -> JobRow | None:
        """A job of this user."""
        statement = select(JobRow).where(JobRow.id == job_id, JobRow.user_id == user_id)
        return (await self._session.exec(statement)).one_or_none()

    async def progress(self, job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[str, int]]:
        """Status and last stored event id of each job that is there, whoever owns it."""
        last = sa.func.coalesce(sa.func.max(_EVENTS.c.seq), 0).label("last")
        statement = (
            sa.select(_JOBS.c.id, _JOBS.c.status, last)
            .select_from(_JOBS.outerjoin(_EVENTS))
            .where(_JOBS.c.id.in_(job_ids))
            .group_by(_JOBS.c.id, _JOBS.c.status)
        )
        rows = (await self._execute(statement)).mappings()
        return {row["id"]: (row["status"], row["last"]) for row in rows}

    async def unfinished(self, job_ids: Sequence[uuid.UUID], *, lock: bool = False) -> set[uuid.UUID]:
        """Those of the jobs that have not ended, whoever owns them; locked, nobody else can end them now."""
        statement = sa.select(_JOBS.c.id).where(_JOBS.c.id.in_(job_ids), _JOBS.c.status.in_(_UNFINISHED))
        if lock:
            statement = statement.order_by(_JOBS.c.id).with_for_update()
        return set((await self._execute(statement)).scalars())

    async def runner(self, job_id: uuid.UUID) -> uuid.UUID | None:
        """The instance that runs a job or ran it; None when that is not known or the job is not there."""
        statement = sa.select(_JOBS.c.instance_id).where(_JOBS.c.id == job_id)
        found: uuid.UUID | None = (await self._execute(statement)).scalar_one_or_none()
        return found

    async def page(
        self,
        user_id: uuid.UUID,
        *,
        flow_id: uuid.UUID | None,
        status: str | None,
        before: tuple[datetime, uuid.UUID] | None,
        limit: int,
    ) -> Sequence[JobRow]:
        """Jobs of this user, newest first."""
        statement = select(JobRow).where(JobRow.user_id == user_id)
        if flow_id is not None:
            statement = statement.where(JobRow.flow_id == flow_id)
        if status is not None:
            statement = statement.where(JobRow.status == status)
        if before is not None:
            at, row_id = col(JobRow.created_at), col(JobRow.id)
            statement = statement.where(beyond(at, row_id, before, newest_first=True))
        statement = statement.order_by(col(JobRow.created_at).desc(), col(JobRow.id).desc()).limit(limit)
        return (await self._session.exec(statement)).all()

    async def page_of_all(self, *, status: str | None, before: uuid.UUID | None, limit: int) -> Sequence[JobRow]:
        """Jobs of all users, newest first: ids are in the order of time."""
        statement = select(JobRow)
        if status is not None:
            statement = statement.where(JobRow.status == status)
        if before is not None:
            statement = statement.where(col(JobRow.id) < before)
        return (await self._session.exec(statement.order_by(col(JobRow.id).desc()).limit(limit))).all()

    async def events(self, job_id: uuid.UUID, after: int, limit: int) -> Sequence[JobEventRow]:
        """Runs of events of which some have ids greater than ``after``, in order."""
        statement = (
            select(JobEventRow)
            .where(JobEventRow.job_id == job_id, JobEventRow.seq > after)
            .order_by(col(JobEventRow.seq))
            .limit(limit)
        )
        return (await self._session.exec(statement)).all()

    async def delete(self, user_id: uuid.UUID, job_id: uuid.UUID) -> bool:
        """Remove a job of this user with its events; False if it is not there."""
        result = await self._execute(sa.delete(_JOBS).where(_JOBS.c.id == job_id, _JOBS.c.user_id == user_id))
        return bool(result.rowcount)

    async def delete_finished_before(self, moment: datetime, limit: int) -> int:
        """Remove at most ``limit`` jobs that ended before ``moment``, with their events; returns how many."""
        old = sa.select(_JOBS.c.id).where(_JOBS.c.finished_at < moment).limit(limit)
        result = await self._execute(sa.delete(_JOBS).where(_JOBS.c.id.in_(old)))
        return int(result.rowcount)
