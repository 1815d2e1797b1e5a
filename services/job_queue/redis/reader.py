"""Reads one job of another process: from its stream while it runs, from the database what is no longer there."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.errors import UnavailableError
from bedplate.services.job_queue.history import History
from bedplate.services.job_queue.models import JobEvent
from bedplate.services.job_queue.redis.feeds import Feed, Feeds
from bedplate.services.job_queue.redis.streams import Streams

__all__ = ["Reader", "Readers"]

_RUNS: Final = 16
"""Runs of events that are read from a stream at once: each holds up to a megabyte."""


class Reader:
    """One reader of one job.

    Args:
        history: What the database has.
        streams: What Redis has.
        feeds: What has come lately.
        stack: What to leave when the reader goes.
        user_id: The owner of the job.
        job_id: The job.
        after: The event after which to begin.
    """

    def __init__(
        self,
        history: History,
        streams: Streams,
        feeds: Feeds,
        stack: AsyncExitStack,
        *,
        user_id: uuid.UUID,
        job_id: uuid.UUID,
        after: int,
    ) -> None:
        self._history = history
        self._streams = streams
        self._feeds = feeds
        self._stack = stack
        self._job = (user_id, job_id)
        self._after = after
        self._feed: Feed | None = None
        self._given = after  # by the caller, who may name an event that there is not yet

    async def next(self) -> Sequence[JobEvent]:
        """The next events, as soon as there are any; none when there will be none any more.

        Raises:
            JobNotFoundError: The job has been deleted.
            UnavailableError: The service has stopped.
        """
        while True:
            events, finished = await self._look()
            if events:
                self._after = events[-1].id
                return events
            if finished:
                return ()
            if self._feed is None:
                start = await self._start()
                self._feed = await self._stack.enter_async_context(self._feeds.follow(self._job[1], start))
            else:
                await self._feed.changed()
            if self._feed.closed:
                raise UnavailableError("the service has stopped", service="job_queue")

    async def _look(self) -> tuple[Sequence[JobEvent], bool]:
        """Events that are there now, and whether none follow if there are none."""
        feed = self._feed
        events: Sequence[JobEvent] | None = None if feed is None else feed.take(self._after)
        if events is None:
            events = await self._read_stream()
        events = _unbroken(events)
        if events and events[0].id == self._after + 1:
            return events, False
        # The stream has been trimmed, has expired, was lost or has come to an end that leaves ids out.
        if events or feed is None or feed.over or feed.archived > self._after or feed.start > self._after:
            stored, finished = await self._history.look(*self._job, self._after)
            if stored or not events:
                return stored, finished
        return events, False

    async def _start(self) -> int:
        """After which event to follow the stream, for all its readers."""
        if self._after > self._given:
            return self._after
        with suppress(RedisUnavailableError):
            return min(self._after, (await self._streams.top(self._job[1])).event_id)
        return 0

    async def _read_stream(self) -> Sequence[JobEvent]:
        with suppress(RedisUnavailableError):
            return await self._streams.read(self._job[1], self._after, _RUNS)
        return ()


class Readers:
    """Makes readers.

    Args:
        history: What the database has.
        streams: What Redis has.
        feeds: What has come lately.
    """

    def __init__(self, history: History, streams: Streams, feeds: Feeds) -> None:
        self._parts = (history, streams, feeds)

    @asynccontextmanager
    async def open(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> AsyncIterator[Reader]:
        """A reader for the length of a block; whether the job is this user's, the caller has seen."""
        async with AsyncExitStack() as stack:
            yield Reader(*self._parts, stack, user_id=user_id, job_id=job_id, after=after)


def _unbroken(events: Sequence[JobEvent]) -> Sequence[JobEvent]:
    """The events up to where one is missing, if one is."""
    if not events or events[-1].id - events[0].id == len(events) - 1:
        return events
    return [event for number, event in enumerate(events, events[0].id) if event.id == number]
