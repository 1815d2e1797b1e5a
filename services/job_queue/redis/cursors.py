"""Up to where the events of jobs have been polled, whichever process was asked."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Sequence

from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.job_queue.models import JobEvent
from bedplate.services.job_queue.polling import PollCursors
from bedplate.services.job_queue.redis.streams import Streams
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["SharedCursors"]


class SharedCursors(PollCursors):
    """Remembers in Redis, for a day, which event of a job its owner was given last.

    Args:
        streams: Redis.
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__(1)
        self._streams = streams

    async def poll(
        self,
        user_id: uuid.UUID,
        job_id: uuid.UUID,
        after: int | None,
        timeout: float,
        look: Callable[[int], Awaitable[Sequence[JobEvent]]],
    ) -> Sequence[JobEvent]:
        """The next events of a job; two polls at once, here or elsewhere, share them."""
        end = asyncio.get_running_loop().time() + timeout
        if after is not None:
            events = await _until(end, look(after))
            if events:
                with contextlib.suppress(RedisUnavailableError):  # whoever names an event needs no memory
                    await self._streams.place(job_id, events[-1].id)
            return events
        while True:
            events = await _until(end, look(await self._streams.polled(job_id)))
            if not events:
                return events
            reached = await self._claim(job_id, events[-1].id)
            # Another poll of the same caller may have been given these while this one waited.
            fresh = [event for event in events if event.id > reached]
            if fresh:
                return fresh

    async def _claim(self, job_id: uuid.UUID, event_id: int) -> int:
        claim = asyncio.ensure_future(self._streams.advance(job_id, event_id))
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            # Whoever polls next is given what this caller does not get any more.
            await uninterrupted(self._undo(job_id, event_id, claim))
            raise

    async def _undo(self, job_id: uuid.UUID, event_id: int, claim: "asyncio.Future[int]") -> None:
        before = await claim
        if before < event_id:
            await self._streams.put_back(job_id, event_id, before)


async def _until(end: float, look: Awaitable[Sequence[JobEvent]]) -> Sequence[JobEvent]:
    try:
        async with asyncio.timeout_at(end):
            return await look
    except TimeoutError:
        return ()
