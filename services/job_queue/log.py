"""The log of one job in memory: appended to by one writer, read by index by any number of readers."""

import asyncio
import time
import uuid
from bisect import bisect_right
from collections.abc import AsyncGenerator
from operator import attrgetter
from typing import Any, Generic

import msgspec

from bedplate.services.errors import InvalidInputError
from bedplate.services.job_queue.deadlines import Deadlines
from bedplate.services.job_queue.errors import JobFinishedError, JobLogFullError
from bedplate.services.job_queue.log_host import LogHost, OwnerT
from bedplate.services.job_queue.models import JobEvent
from bedplate.services.job_queue.waiting import wait_among, wake_all
from bedplate.services.text import storable

__all__ = ["EventLog"]

_EVENT_OVERHEAD = 160
"""Bytes that an event costs beside its payload, about."""
_BREATHER = 256
"""Events that a reader is given before other tasks get a turn."""

_encode = msgspec.json.Encoder().encode
_id_of = attrgetter("id")


class EventLog(Generic[OwnerT]):
    """An append-only list of events with ids 1, 2, 3 and so on.

    Readers see an event as soon as it is appended, with two exceptions: nothing is shown before the first event has
    been committed to the database, and the event that closes the log not before it has been committed itself. The
    writer of the database tells by :meth:`committed_up_to`, or gives up by :meth:`show_uncommitted`.

    Args:
        owner: What the host is told of when something is appended.
        job_id: The job, for errors.
        host: What it shares with other logs.

    Attributes:
        closed: Whether the last event has been appended.
        committed: How many events are in the database.
    """

    __slots__ = (
        "_begun",
        "_bytes",
        "_events",
        "_host",
        "_owner",
        "_visible",
        "_waiters",
        "closed",
        "committed",
        "job_id",
    )

    def __init__(self, owner: OwnerT, job_id: uuid.UUID, host: LogHost[OwnerT]) -> None:
        self.job_id = job_id
        self.closed = False
        self.committed = 0
        self._owner = owner
        self._host = host
        self._events: list[JobEvent] = []
        self._bytes = 0
        self._visible = 0
        self._begun = False
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def done(self) -> bool:
        """Whether readers can see the last event."""
        return self.closed and self._visible == len(self._events)

    @property
    def last_id(self) -> int:
        """Id of the last event that readers can see; 0 when there is none."""
        return self._events[self._visible - 1].id if self._visible else 0

    @property
    def archived(self) -> bool:
        """Whether every event is in the database."""
        return self.committed == len(self._events)

    def append(self, kind: str, data: Any = None) -> int:
        """Append an event and return its id.

        Raises:
            JobFinishedError: The log is closed.
            JobLogFullError: There is no room.
            InvalidInputError: The data is not JSON-like.
        """
        if self.closed:
            raise JobFinishedError(self.job_id)
        payload = self._payload(data)
        self._take_room(len(payload) + _EVENT_OVERHEAD)
        count = len(self._events) + 1
        self._events.append(JobEvent(id=count, type=kind, payload=payload, time=time.time()))
        if self._begun:
            self._visible = count
            if self._waiters:
                wake_all(self._waiters)
        self._host.on_append(self._owner, count == 1)
        return count

    def close(self, kind: str, data: Any = None) -> JobEvent:
        """Append the last event, for which there is always room.

        Raises:
            JobFinishedError: The log is closed already.
            InvalidInputError: The data is not JSON-like.
        """
        if self.closed:
            raise JobFinishedError(self.job_id)
        event = JobEvent(id=len(self._events) + 1, type=kind, payload=self._payload(data), time=time.time())
        size = len(event.payload) + _EVENT_OVERHEAD
        self._host.memory.take_always(size)
        self._bytes += size
        self._events.append(event)
        self.closed = True
        self._host.on_append(self._owner, True)
        return event

    def supersede(self, kind: str, data: Any, event_id: int) -> JobEvent:
        """Close the log with an event that is in the database already; a last one that waits gives way to it."""
        if self.done:
            self.committed = len(self._events)
            return self._events[-1]
        if self.closed:
            self._events.pop()
        event = JobEvent(id=event_id, type=kind, payload=self._payload(data), time=time.time())
        self._events.append(event)
        self.closed = True
        self.committed = len(self._events)
        self._show(len(self._events))
        return event

    def detach(self) -> None:
        """End with what readers have seen; the rest, if there is any, is read elsewhere."""
        del self._events[self._visible :]
        self.closed = True
        self.committed = len(self._events)
        wake_all(self._waiters)
        self._host.on_done(self._owner)

    def uncommitted(self) -> list[JobEvent]:
        """The events that are not in the database."""
        return self._events[self.committed :]

    def committed_up_to(self, count: int) -> None:
        """Note that the first ``count`` events are in the database, and show what waited for that."""
        self.committed = max(self.committed, count)
        if self.committed:
            self._begun = True
            held = self.closed and not self.archived
            self._show(len(self._events) - held)

    def show_uncommitted(self, kind: str, data: Any) -> JobEvent | None:
        """Show everything, though it is not in the database; a last event that waits gives way to this one."""
        self._begun = True
        if not self.closed or self.done:
            self._show(len(self._events))
            return None
        held = self._events.pop()
        event = JobEvent(id=held.id, type=kind, payload=self._payload(data), time=time.time())
        self._events.append(event)
        self._show(len(self._events))
        return event

    def free(self) -> None:
        """Give the room back; readers that are on their way still come to the end."""
        self._host.memory.give(self._bytes)
        self._bytes = 0

    def take(self, after: int, limit: int) -> list[JobEvent]:
        """At most ``limit`` events with ids greater than ``after``."""
        start = self._index(after)
        return self._events[start : min(start + limit, self._visible)]

    async def wait(self, after: int) -> None:
        """Return when there is an event after ``after``, or never will be."""
        while self._index(after) == self._visible and not self.done:
            await wait_among(self._waiters)

    async def wait_done(self, patience: Deadlines[asyncio.Future[None]], seconds: float) -> None:
        """Return when readers can see the last event, or when ``seconds`` are over.

        Args:
            patience: Wakes a future whose time is up.
            seconds: How long to wait.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self.done and loop.time() < end:
            waiter = loop.create_future()
            self._waiters.add(waiter)
            patience.add(waiter, end)
            try:
                await waiter
            finally:
                patience.discard(waiter)
                self._waiters.discard(waiter)

    async def read(self, after: int) -> AsyncGenerator[JobEvent, None]:
        """All events with ids greater than ``after``, as they come, until the last."""
        index = self._index(after)
        served = 0
        while True:
            while index < self._visible:
                event = self._events[index]
                index += 1
                if event.id > after:
                    yield event
                    served += 1
                    if served % _BREATHER == 0:
                        await asyncio.sleep(0)
            if self.done:
                return
            await wait_among(self._waiters)

    def _index(self, after: int) -> int:
        return bisect_right(self._events, after, hi=self._visible, key=_id_of)

    def _payload(self, data: Any) -> bytes:
        try:
            payload = _encode(data)
        except UnicodeEncodeError:
            payload = _encode(storable(data))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInputError(
                "the data of an event is not JSON-like",
                service="job_queue",
                why=type(error).__name__,
                fix="append dicts, lists, texts, numbers, booleans, None, UUIDs and datetimes only",
            ) from error
        if len(payload) > self._host.limits.max_event_bytes:
            self._host.on_truncate()
            note = {"truncated": True, "bytes": len(payload), "limit": self._host.limits.max_event_bytes}
            payload = _encode(note)
        return payload

    def _take_room(self, size: int) -> None:
        limits = self._host.limits
        if len(self._events) >= limits.max_events:
            raise JobLogFullError(f"the job has written {limits.max_events} events", "BEDPLATE_JOB_QUEUE__MAX_EVENTS")
        if self._bytes + size > limits.max_log_bytes:
            raise JobLogFullError(
                f"the job has written {limits.max_log_bytes} bytes of events", "BEDPLATE_JOB_QUEUE__MAX_LOG_BYTES"
            )
        if not self._host.memory.take(size):
            raise JobLogFullError("the logs of all jobs fill their memory", "BEDPLATE_JOB_QUEUE__MAX_MEMORY_BYTES")
        self._bytes += size

    def _show(self, count: int) -> None:
        before = self._visible
        self._visible = max(before, count)
        wake_all(self._waiters)
        if self.done and self._visible > before:
            self._host.on_done(self._owner)
