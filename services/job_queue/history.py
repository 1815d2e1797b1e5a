"""Jobs that are not in this process's memory: finished ones, and those of other processes."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import JobRow
from bedplate.services.database.repositories.cursor import decode_cursor, encode_cursor
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.job_queue.errors import JobNotFoundError
from bedplate.services.job_queue.models import Job, JobEvent, JobPage, JobStatus
from bedplate.services.job_queue.segments import decode_events

__all__ = ["History"]

_ROWS: Final = 16
"""Rows of events read at once: each holds what one commit wrote, up to a megabyte."""


class History:
    """Reads jobs and their events from the database.

    Args:
        database: Where they are.
        follow_interval: Seconds between two looks for events that another process writes.
    """

    def __init__(self, database: DatabaseService, follow_interval: float) -> None:
        self._database = database
        self._follow_interval = follow_interval

    async def get(self, user_id: uuid.UUID, job_id: uuid.UUID) -> Job:
        """A job of this user.

        Raises:
            JobNotFoundError: There is none with this id.
        """
        async with self._database.session() as session:
            row = await JobRepository(session).get(user_id, job_id)
        if row is None:
            raise JobNotFoundError(job_id)
        return _job(row)

    async def runner(self, job_id: uuid.UUID) -> uuid.UUID | None:
        """The instance that runs a job or ran it, whoever owns the job; None when that is not known."""
        async with self._database.session() as session:
            return await JobRepository(session).runner(job_id)

    async def page(
        self,
        user_id: uuid.UUID,
        *,
        flow_id: uuid.UUID | None,
        status: JobStatus | None,
        limit: int,
        cursor: str | None,
    ) -> JobPage:
        """Jobs of this user, newest first."""
        before = None if cursor is None else decode_cursor(cursor, service="job_queue")
        async with self._database.session() as session:
            rows = await JobRepository(session).page(
                user_id, flow_id=flow_id, status=status, before=before, limit=limit + 1
            )
        items = tuple(_job(row) for row in rows[:limit])
        more = len(rows) > limit
        return JobPage(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)

    async def page_of_all(self, *, status: JobStatus | None, limit: int, cursor: str | None) -> JobPage:
        """Jobs of all users, newest first."""
        before = None if cursor is None else decode_cursor(cursor, service="job_queue")[1]
        async with self._database.session() as session:
            rows = await JobRepository(session).page_of_all(status=status, before=before, limit=limit + 1)
        items = tuple(_job(row) for row in rows[:limit])
        more = len(rows) > limit
        return JobPage(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)

    async def read(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> AsyncGenerator[JobEvent, None]:
        """All events with ids greater than ``after``, until the last; waits for those that are still to come.

        Raises:
            JobNotFoundError: There is no such job, or it has been deleted.
        """
        while True:
            events, finished = await self.look(user_id, job_id, after)
            for event in events:
                yield event
                after = event.id
            if not events:
                if finished:
                    return
                await asyncio.sleep(self._follow_interval)

    async def wait(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> list[JobEvent]:
        """Some events with ids greater than ``after``, as soon as there are any; none if there never will be.

        Raises:
            JobNotFoundError: There is no such job, or it has been deleted.
        """
        while True:
            events, finished = await self.look(user_id, job_id, after)
            if events or finished:
                return events
            await asyncio.sleep(self._follow_interval)

    async def look(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> tuple[list[JobEvent], bool]:
        """Some events with ids greater than ``after``, and whether the job had finished before they were read."""
        finished = (await self.get(user_id, job_id)).status.finished
        async with self._database.session() as session:
            rows = await JobRepository(session).events(job_id, after, _ROWS)
        return [event for row in rows for event in decode_events(row) if event.id > after], finished


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        user_id=row.user_id,
        kind=row.kind,
        flow_id=row.flow_id,
        session_id=row.session_id,
        status=JobStatus(row.status),
        error=row.error,
        last_event_id=row.last_event_id,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
