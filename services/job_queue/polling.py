"""Up to where the events of jobs have been polled."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence

from cachetools import LRUCache

from bedplate.services.job_queue.models import JobEvent

__all__ = ["PollCursors"]


class PollCursors:
    """Remembers, for the latest polled jobs, which event its owner was given last.

    Args:
        max_cursors: Most jobs.
    """

    def __init__(self, max_cursors: int) -> None:
        self._reached: LRUCache[tuple[uuid.UUID, uuid.UUID], int] = LRUCache(max_cursors)

    async def poll(
        self,
        user_id: uuid.UUID,
        job_id: uuid.UUID,
        after: int | None,
        timeout: float,
        look: Callable[[int], Awaitable[Sequence[JobEvent]]],
    ) -> Sequence[JobEvent]:
        """The next events of a job.

        Args:
            user_id: Who polls.
            job_id: The job.
            after: Give events with greater ids; None: those that were not given yet.
            timeout: Seconds to wait.
            look: Waits for events with greater ids than it is given; none come any more when it returns none.
        """
        key = (user_id, job_id)
        events: Sequence[JobEvent] = ()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                events = await (self._fresh(key, look) if after is None else look(after))
        if events:
            self._reached[key] = events[-1].id
        return events

    def forget(self, user_id: uuid.UUID, job_id: uuid.UUID) -> None:
        """Remember nothing of a job."""
        self._reached.pop((user_id, job_id), None)

    async def _fresh(
        self, key: tuple[uuid.UUID, uuid.UUID], look: Callable[[int], Awaitable[Sequence[JobEvent]]]
    ) -> Sequence[JobEvent]:
        while True:
            events = await look(self._reached.get(key, 0))
            # Another poll of the same caller may have been given these while this one waited.
            reached = self._reached.get(key, 0)
            fresh = [event for event in events if event.id > reached]
            if fresh or not events:
                return fresh
