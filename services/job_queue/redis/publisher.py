"""Group publishing: what all jobs of this process append goes to their streams together, in one round trip."""

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Final

from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.job_queue.live import LiveJob
from bedplate.services.job_queue.redis.log import StreamedLog
from bedplate.services.job_queue.redis.streams import Addition, Streams, Top
from bedplate.services.job_queue.segments import pack_events, runs
from bedplate.services.job_queue.waiting import wait_among, wake_all
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.job_queue import JobQueueSettings
from bedplate.services.telemetry import TelemetryService

__all__ = ["LINGER", "Publisher"]

LINGER: Final = 60
"""Seconds that the stream of a job stays after its last event, for readers that are on their way."""

_JOBS_AT_ONCE: Final = 1_000
_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
_EVENTS_AT_ONCE: Final = 2_000
_ARCHIVE_BYTES: Final = 256 * 1024
"""Bytes of a log that are published before they go to the database while the job runs."""
_SPARE: Final = 3600
"""Seconds that the stream of a job stays beyond the time that the job may take, should nobody end it."""
_LONGEST: Final = 30 * 24 * 3600
_RETRY_FIRST: Final = 0.05
_RETRY_LAST: Final = 1.0
_STOP_PATIENCE: Final = 2.0

_log = get_logger("bedplate.job_queue")


class Publisher:
    """Writes the events of jobs to their streams, and tells the logs what has been written.

    The appending work never waits. The first event after a pause goes out at once, further ones gather for
    ``publish_interval``, and while an answer is waited for.

    Args:
        streams: Where to write.
        settings: Settings of the job queue.
        telemetry: For the metrics.
        archive: Called with a job of which enough has been published to be written to the database.
        give_up: Called with a job whose events could not be published for ``stream_patience``.
        fenced: Called with a job whose stream was ended by a process that took this one for dead.
    """

    def __init__(
        self,
        streams: Streams,
        settings: JobQueueSettings,
        telemetry: TelemetryService,
        *,
        archive: Callable[[LiveJob], None],
        give_up: Callable[[LiveJob], None],
        fenced: Callable[[LiveJob], None],
    ) -> None:
        self._streams = streams
        self._settings = settings
        self._archive = archive
        self._give_up = give_up
        self._fenced = fenced
        self._dirty: dict[LiveJob, StreamedLog] = {}
        self._due = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._failing_since: float | None = None
        self.failure: BedplateError | None = None
        meter = telemetry.meter
        self._events = meter.counter("bedplate_job_queue_events_published", "Events written to Redis")
        self._failures = meter.counter("bedplate_job_queue_publish_failures", "Failed writes of job events to Redis")
        self._again = meter.counter(
            "bedplate_job_queue_streams_rewritten", "Logs that were written to Redis anew because it had lost some"
        )
        self._seconds = meter.histogram(
            "bedplate_job_queue_publish_seconds", "Seconds that a write of job events to Redis took"
        )

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="bedplate-job-publisher")

    async def stop(self) -> None:
        """Write what is left, unless the server fails, and end."""
        self._closing = True
        self._due.set()
        if self._task is not None:
            try:
                await asyncio.wait([self._task], timeout=_STOP_PATIENCE)
            finally:
                self._task.cancel()
                wake_all(self._waiters)

    def note(self, live: LiveJob) -> None:
        """Remember that a job has something to publish."""
        if live not in self._dirty and isinstance(live.log, StreamedLog):
            self._dirty[live] = live.log
            self._due.set()

    async def settle(self, log: StreamedLog) -> None:
        """Return when what has been appended to a log is in its stream; at once when the server does not work."""
        wanted = log.appended
        while log.published < wanted and self.failure is None and self._task is not None and not self._task.done():
            await wait_among(self._waiters)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._dirty or not self._closing:
            await self._due.wait()
            self._due.clear()
            begun = loop.time()
            await self._flush()
            wake_all(self._waiters)
            if self._closing:
                if self.failure is not None:
                    return
            elif (pause := self._pause(begun)) > 0:
                await asyncio.sleep(pause)
            if self._dirty or self._closing or self.failure is not None:
                self._due.set()

    def _pause(self, begun: float) -> float:
        now = asyncio.get_running_loop().time()
        if self._failing_since is not None:
            return min(max(_RETRY_FIRST, (now - self._failing_since) / 2), _RETRY_LAST)
        return begun + self._settings.publish_interval - now

    async def _flush(self) -> None:
        batch = self._gather()
        if not batch and self.failure is None:
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            tops = await self._streams.append([addition for _, addition in batch])
            if not batch:
                await self._streams.ping()
        except BedplateError as error:
            self._failed([live for live, _ in batch], error, begun)
            return
        except Exception as error:
            _log.error("job events could not be written to Redis", exc_info=error)
            self._failed([live for live, _ in batch], _unexpected(error), begun)
            return
        self._failing_since = self.failure = None
        self._seconds.record(loop.time() - begun)
        for (live, addition), top in zip(batch, tops, strict=True):
            if top is None:
                _log.error("Redis refuses the events of a job", job_id=str(live.id))
                self._give_up(live)
            else:
                self._written(live, addition, top)

    def _gather(self) -> list[tuple[LiveJob, Addition]]:
        batch: list[tuple[LiveJob, Addition]] = []
        size = 0
        for live, log in list(itertools.islice(self._dirty.items(), _JOBS_AT_ONCE)):
            if size > _BYTES_AT_ONCE:
                break
            del self._dirty[live]
            events = next(runs(log.unpublished(_EVENTS_AT_ONCE)), None)
            if events is not None:
                packed = pack_events(events)
                size += len(packed)
                batch.append((live, self._addition(live, log, events[-1].id, packed)))
        return batch

    def _addition(self, live: LiveJob, log: StreamedLog, last: int, packed: bytes) -> Addition:
        ttl = None
        if log.done and last == log.last_id:
            ttl = LINGER
        elif log.top == 0:
            ttl = math.ceil(min(live.timeout + self._settings.cancel_timeout + _SPARE, _LONGEST))
        # Once the job has ended its stream expires as a whole, which spares readers on their way the database.
        trim = 0 if log.done else min(log.committed, log.top)
        return Addition(
            job_id=live.id,
            expected=f"{log.top}-0",
            last=last,
            packed=packed,
            ttl=ttl,
            trim=trim if trim > log.trimmed else 0,
        )

    def _written(self, live: LiveJob, addition: Addition, top: Top) -> None:
        log = live.log
        assert isinstance(log, StreamedLog)  # noqa: S101 - no other is noted
        if not top.fenced and top.event_id == addition.last:
            self._events.add(max(0, addition.last - log.published))
            log.trimmed = max(log.trimmed, addition.trim)
            log.published_up_to(addition.last, len(addition.packed))
            if log.unarchived >= _ARCHIVE_BYTES and not log.closed:
                self._archive(live)
        elif top.fenced or top.event_id > log.last_appended:
            self._fenced(live)
            return
        elif top.event_id > log.published:  # an answer was lost, and not what it answered
            log.published_up_to(top.event_id, 0)
        else:
            _log.warning("Redis has lost events, which are written anew", job_id=str(live.id))
            self._again.add()
            log.rewind(top.event_id)
        if log.published < log.appended:
            self.note(live)

    def _failed(self, lives: list[LiveJob], error: BedplateError, begun: float) -> None:
        self._failures.add()
        self.failure = error
        if self._failing_since is None:
            self._failing_since = begun
            _log.warning("job events are not written to Redis", error=error.code)
        for live in lives:
            self.note(live)
        if asyncio.get_running_loop().time() < self._failing_since + self._settings.stream_patience:
            return
        for live, log in list(self._dirty.items()):
            if log.done:  # in the database, where readers elsewhere find it
                del self._dirty[live]
            else:
                self._give_up(live)


def _unexpected(error: Exception) -> UnavailableError:
    return UnavailableError("events cannot be written to Redis", service="job_queue", why=type(error).__name__)
