"""Reading jobs: one, lists, and the events of one as they come, from memory where the job is of this process."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from bedplate.services.job_queue.errors import JobNotFoundError
from bedplate.services.job_queue.history import History
from bedplate.services.job_queue.live import LiveJob
from bedplate.services.job_queue.models import Job, JobEvent, JobPage, JobStatus
from bedplate.services.job_queue.registry import LiveJobs
from bedplate.services.job_queue.relay import Relay
from bedplate.services.settings.groups.job_queue import JobQueueSettings

__all__ = ["JobReader"]

_MAX_PAGE: Final = 500


class JobReader:
    """Reads the jobs of one user at a time.

    Args:
        settings: How long polls wait.
        jobs: Those of this process.
        history: Those that are in the database.
        relay: Reads the events of jobs that run elsewhere, or are over.
    """

    def __init__(self, settings: JobQueueSettings, jobs: LiveJobs, history: History, relay: Relay) -> None:
        self._settings = settings
        self._jobs = jobs
        self._history = history
        self._relay = relay

    async def get(self, user_id: uuid.UUID, job_id: uuid.UUID) -> Job:
        """A job.

        Raises:
            JobNotFoundError: There is none with this id, or it is somebody else's.
        """
        live = self._own(user_id, job_id)
        return live.snapshot() if live is not None else await self._history.get(user_id, job_id)

    async def list(
        self,
        user_id: uuid.UUID,
        *,
        flow_id: uuid.UUID | None = None,
        status: JobStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Jobs of a user, newest first.

        Args:
            user_id: The owner.
            flow_id: Only those of this flow.
            status: Only those that have this status in the database.
            limit: Most jobs in the page, 1 to 500.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: The cursor was not made here.
        """
        limit = max(1, min(limit, _MAX_PAGE))
        return self._fresh(
            await self._history.page(user_id, flow_id=flow_id, status=status, limit=limit, cursor=cursor)
        )

    async def list_all(self, *, status: JobStatus | None = None, limit: int = 50, cursor: str | None = None) -> JobPage:
        """Jobs of all users, newest first: for operators, which the caller has made sure of.

        Args:
            status: Only those that have this status in the database.
            limit: Most jobs in the page, 1 to 500.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: The cursor was not made here.
        """
        limit = max(1, min(limit, _MAX_PAGE))
        return self._fresh(await self._history.page_of_all(status=status, limit=limit, cursor=cursor))

    def events(self, user_id: uuid.UUID, job_id: uuid.UUID, *, after: int = 0) -> AsyncGenerator[JobEvent, None]:
        """The events of a job with ids greater than ``after``, as they come, until the one that closes the log.

        Raises:
            JobNotFoundError: There is none with this id, or it is somebody else's; raised here or at the first event.
        """
        live = self._own(user_id, job_id)
        return self._relay.read(user_id, job_id, after) if live is None else self._relay.here(live, after)

    async def poll(
        self,
        user_id: uuid.UUID,
        job_id: uuid.UUID,
        *,
        after: int | None = None,
        timeout: float | None = None,
        limit: int = 1_000,
    ) -> Sequence[JobEvent]:
        """The next events of a job: waits for one at least.

        Args:
            user_id: The owner.
            job_id: The job.
            after: Give events with greater ids; None: those that this method has not given yet. Where that was is
                remembered for the latest ``max_cursors`` jobs of this process; for an older one it begins anew.
            timeout: Seconds to wait; None: ``poll_timeout``.
            limit: Most events in an answer.

        Returns:
            The events; none when time is up, or when the last event of the job has been given.

        Raises:
            JobNotFoundError: There is none with this id, or it is somebody else's.
        """
        seconds = self._settings.poll_timeout if timeout is None else timeout

        async def look(start: int) -> Sequence[JobEvent]:
            live = self._own(user_id, job_id)
            if live is None:
                return (await self._relay.wait(user_id, job_id, start))[:limit]
            await live.log.wait(start)
            return live.log.take(start, limit)

        if (here := self._own(user_id, job_id)) is not None:
            await self._relay.settle(here)
        return await self._relay.cursors.poll(user_id, job_id, after, seconds, look)

    def _own(self, user_id: uuid.UUID, job_id: uuid.UUID) -> LiveJob | None:
        live = self._jobs.get(job_id)
        if live is not None and live.user_id != user_id:
            raise JobNotFoundError(job_id)
        return live

    def _fresh(self, page: JobPage) -> JobPage:
        """The same jobs, those of this process as they are in its memory."""
        lives = ((job, self._jobs.get(job.id)) for job in page.items)
        items = tuple(job if live is None else live.snapshot() for job, live in lives)
        return JobPage(items=items, next_cursor=page.next_cursor)
