"""Follows the streams of other processes: one blocking read for all of them, however many readers there are."""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.job_queue.models import JobEvent
from bedplate.services.job_queue.redis.streams import Entry, Streams
from bedplate.services.job_queue.waiting import wait_among, wake_all
from bedplate.services.logs import get_logger

__all__ = ["Feed", "Feeds"]

_ENTRIES: Final = 64
_BLOCK: Final = 5.0
_ANSWER: Final = 5.0
"""Seconds beyond the blocking in which the server must have answered."""
_KEPT_BYTES: Final = 128 * 1024
_PAUSE: Final = 0.002
_PAUSE_EACH: Final = 20e-6
_PAUSE_MOST: Final = 0.02
"""Seconds between two reads: the more streams there are, the more there is to be had with one."""
_CHECK: Final = 1.0
_CHECKED_AT_ONCE: Final = 500
_RETRY_FIRST: Final = 0.05
_RETRY_LAST: Final = 1.0

_log = get_logger("bedplate.job_queue")


class Feed:
    """What has come of the stream of one job lately; its readers in this process share it.

    Args:
        job_id: The job.
        after: The event after which it begins.

    Attributes:
        position: The event up to which the stream has been read.
        start: What is kept begins after this event.
        archived: The last event in the database, as far as is known.
        over: The database says that the job has ended or is gone.
        closed: The process does not follow streams any more.
        readers: How many there are.
    """

    def __init__(self, job_id: uuid.UUID, after: int) -> None:
        self.job_id = job_id
        self.position = self.start = after
        self.archived = 0
        self.over = False
        self.closed = False
        self.readers = 0
        self._kept: deque[tuple[list[JobEvent], int]] = deque()
        self._bytes = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def add(self, events: list[JobEvent]) -> None:
        """Take in what comes next in the stream."""
        size = sum(len(event.payload) for event in events)
        self._kept.append((events, size))
        self._bytes += size
        self.position = events[-1].id
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            gone, freed = self._kept.popleft()
            self._bytes -= freed
            self.start = gone[-1].id
        self.wake()

    def take(self, after: int) -> list[JobEvent] | None:
        """The events with ids greater than ``after``; None when some of them are no longer kept."""
        if after < self.start:
            return None
        if after >= self.position:
            return []
        return [event for events, _ in self._kept if events[-1].id > after for event in events if event.id > after]

    def wake(self) -> None:
        """Let readers look."""
        wake_all(self._waiters)

    async def changed(self) -> None:
        """Return when there may be something new."""
        await wait_among(self._waiters)


class Feeds:
    """The streams that this process follows: those of jobs with readers here, and the one with its commands.

    Args:
        streams: The streams.
        database: Says which jobs have ended, should their last event never come.
        follow_interval: Seconds between two looks into the database while Redis does not work.
        instance: Says under which id this process is told commands.
        obey: Called with each command and the job that it is about.
    """

    def __init__(
        self,
        streams: Streams,
        database: DatabaseService,
        follow_interval: float,
        *,
        instance: Callable[[], uuid.UUID],
        obey: Callable[[str, uuid.UUID], None],
    ) -> None:
        self._streams = streams
        self._database = database
        self._follow_interval = follow_interval
        self._instance = instance
        self._obey = obey
        self._feeds: dict[bytes, Feed] = {}
        self._commands = (b"", b"0-0")
        self._tasks: list[asyncio.Task[None]] = []
        self._failing_since: float | None = None
        self.failure: BedplateError | None = None

    def __len__(self) -> int:
        return len(self._feeds)

    def start(self) -> None:
        """Begin to follow."""
        self._tasks = [
            asyncio.create_task(self._run(), name="bedplate-job-feeds"),
            asyncio.create_task(self._watch_database(), name="bedplate-job-feeds-database"),
        ]

    async def stop(self) -> None:
        """End; readers are told."""
        for feed in self._feeds.values():
            feed.closed = True
            feed.wake()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @asynccontextmanager
    async def follow(self, job_id: uuid.UUID, after: int) -> AsyncIterator[Feed]:
        """What comes in the stream of a job after an event, while the block runs.

        Raises:
            UnavailableError: The process does not follow streams any more.
        """
        if not self._tasks or all(task.done() for task in self._tasks):
            raise UnavailableError("the service has stopped", service="job_queue")
        key = self._streams.log(job_id)
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(job_id, after)
        feed.readers += 1
        try:
            if feed.readers == 1:
                await self._interrupt()
            yield feed
        finally:
            feed.readers -= 1
            if not feed.readers and self._feeds.get(key) is feed:
                del self._feeds[key]

    async def _interrupt(self) -> None:
        """Let the read that waits begin anew, with the streams that have been added."""
        try:
            await self._streams.tell(self._instance(), "look")
        except BedplateError as error:
            self._failed(error)

    async def _run(self) -> None:
        while True:
            try:
                await self._read()
            except TimeoutError:
                self._failed(UnavailableError("Redis does not answer", service="job_queue"))
            except BedplateError as error:
                self._failed(error)
            except Exception as error:
                _log.error("events of jobs elsewhere could not be read", exc_info=error)
                self._failed(UnavailableError("events cannot be read from Redis", service="job_queue"))
            await asyncio.sleep(self._pause())

    async def _read(self) -> None:
        wait = _BLOCK if self.failure is None else _PAUSE  # so that it is soon known to work again
        async with asyncio.timeout(_BLOCK + _ANSWER):
            entries = await self._streams.follow(self._positions(), _ENTRIES, wait)
        for entry in entries:
            self._deliver(entry)
        self._failing_since = self.failure = None

    def _positions(self) -> dict[bytes, bytes]:
        own = self._streams.commands(self._instance())
        if own != self._commands[0]:
            self._commands = own, b"0-0"
        followed = {key: b"%d-0" % feed.position for key, feed in self._feeds.items()}
        return {own: self._commands[1], **followed}

    def _deliver(self, entry: Entry) -> None:
        if entry.key == self._commands[0]:
            self._commands = entry.key, entry.entry_id
            if job := entry.fields[b"j"]:
                self._obey(entry.fields[b"c"].decode(), uuid.UUID(job.decode()))
            return
        feed, events = self._feeds.get(entry.key), entry.events
        if feed is not None and events and events[-1].id > feed.position:
            feed.add(events)

    def _failed(self, error: BedplateError) -> None:
        if self._failing_since is None:
            self._failing_since = asyncio.get_running_loop().time()
            _log.warning("events of jobs elsewhere are not read from Redis", error=error.code)
        self.failure = error
        # The server may come back without its data.
        self._commands = self._commands[0], b"0-0"

    def _pause(self) -> float:
        if self._failing_since is not None:
            waited = asyncio.get_running_loop().time() - self._failing_since
            return min(max(_RETRY_FIRST, waited / 2), _RETRY_LAST)
        return min(_PAUSE + _PAUSE_EACH * len(self._feeds), _PAUSE_MOST)

    async def _watch_database(self) -> None:
        """Look which followed jobs have ended: the process that ran one may not have been able to tell."""
        while True:
            await asyncio.sleep(self._follow_interval if self.failure is not None else _CHECK)
            feeds = [feed for feed in self._feeds.values() if not feed.over]
            try:
                for first in range(0, len(feeds), _CHECKED_AT_ONCE):
                    await self._compare(feeds[first : first + _CHECKED_AT_ONCE])
            except Exception as error:
                _log.warning("followed jobs were not looked for in the database", error=type(error).__name__)

    async def _compare(self, feeds: Sequence[Feed]) -> None:
        job_ids = [feed.job_id for feed in feeds]
        async with self._database.session() as session:
            repository = JobRepository(session)
            running = await repository.unfinished(job_ids)
            stored = await repository.progress(job_ids) if self.failure is not None else {}
        for feed in feeds:
            feed.over = feed.job_id not in running
            _, feed.archived = stored.get(feed.job_id, ("", feed.archived))
            if feed.over or feed.archived > feed.position:
                feed.wake()
