"""The backend ``redis`` of the job queue: streams between replicas."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import ClassVar, Final

from bedplate.services.database import DatabaseService
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.job_queue.archive import Archive
from bedplate.services.job_queue.errors import JobElsewhereError
from bedplate.services.job_queue.live import EndReason, LiveJob
from bedplate.services.job_queue.models import Job, JobEvent
from bedplate.services.job_queue.redis.cursors import SharedCursors
from bedplate.services.job_queue.redis.feeds import Feeds
from bedplate.services.job_queue.redis.log import StreamedLog
from bedplate.services.job_queue.redis.publisher import Publisher
from bedplate.services.job_queue.redis.reader import Readers
from bedplate.services.job_queue.redis.streams import Streams
from bedplate.services.job_queue.redis.takeover import Takeover
from bedplate.services.job_queue.relay import Relay, RelayHost
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["RedisRelay"]

_CANCEL: Final = "cancel"
_DROP: Final = "drop"


class RedisRelay(Relay):
    """By streams: readers anywhere see an event when it is in the stream of its job, and any process can cancel.

    Args:
        settings: The settings service; its group is ``job_queue``.
        telemetry: For the metrics.
        database: Where jobs are, and the events of those that have ended.
        redis: The clients of Redis.
    """

    backend = "redis"
    log_type: ClassVar[type[StreamedLog]] = StreamedLog

    def __init__(
        self, settings: SettingsService, telemetry: TelemetryService, database: DatabaseService, redis: RedisEngine
    ) -> None:
        super().__init__(settings, telemetry, database)
        self._streams = Streams(redis)
        self._takeover = Takeover(self._streams, database, self._settings.lease_ttl)
        self._publisher: Publisher | None = None
        self._feeds: Feeds | None = None
        self.cursors = SharedCursors(self._streams)
        telemetry.meter.observe_gauge(
            "bedplate_job_queue_streams_followed",
            "Logs of jobs of other processes that are followed here",
            lambda: [(len(self._feeds or ()), {})],
        )

    async def start(self, host: RelayHost) -> None:
        """Begin to publish and to follow."""
        await self._streams.ping()
        await super().start(host)
        self._publisher = Publisher(
            self._streams,
            self._settings,
            self._telemetry,
            archive=lambda live: host.archive.note(live, False),
            give_up=lambda live: host.end(live, EndReason.UNREACHABLE),
            fenced=self._fenced,
        )
        self._feeds = Feeds(
            self._streams,
            self._database,
            self._settings.follow_interval,
            instance=lambda: host.archive.instance_id,
            obey=self._obey,
        )
        self._readers = Readers(self._history, self._streams, self._feeds)
        self._publisher.start()
        self._feeds.start()

    async def stop(self) -> None:
        """Publish what is left, and end."""
        host, self._host = self._host, None
        if self._publisher is not None:
            await self._publisher.stop()
        if self._feeds is not None:
            await self._feeds.stop()
        if host is not None and not self._failing:
            with suppress(RedisUnavailableError):
                await self._streams.forget(self._streams.commands(host.archive.instance_id))

    def require(self) -> None:
        """Raise if Redis does not work.

        Raises:
            RedisUnavailableError: It does not.
        """
        if self._failing is not None:
            raise self._failing

    def appended(self, live: LiveJob, urgent: bool) -> None:
        """Publish soon; the database gets what has been published when it is much, or the job has ended."""
        if self._publisher is not None:
            self._publisher.note(live)
        if self._host is not None and live.log.closed:
            self._host.archive.note(live, urgent)

    def shown(self, live: LiveJob) -> None:
        """Publish the last event, which the database has."""
        if self._publisher is not None:
            self._publisher.note(live)

    async def settle(self, live: LiveJob) -> None:
        """Return when what has been appended so far is published, or Redis does not work."""
        if self._publisher is not None and isinstance(live.log, StreamedLog):
            await self._publisher.settle(live.log)

    def superseded(self, live: LiveJob, reserved: int) -> None:
        """End the log here; whoever reads on finds in the database what was published and how it ended."""
        live.detach()
        if self._host is not None:
            self._host.jobs.remove(live)

    async def here(self, live: LiveJob, after: int) -> AsyncGenerator[JobEvent, None]:
        """All events of a job of this process, as they come, until the last."""
        async with aclosing(live.log.read(after)) as own:
            async for event in own:
                yield event
                after = event.id
        if live.detached:
            async with aclosing(self.read(live.user_id, live.id, after)) as rest:
                async for event in rest:
                    yield event

    async def read(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> AsyncGenerator[JobEvent, None]:
        """All events of a job that is not of this process, as they come, until the last.

        Raises:
            JobNotFoundError: There is no such job, or it has been deleted.
            UnavailableError: The service has stopped.
        """
        await self._history.get(user_id, job_id)
        async with self._readers.open(user_id, job_id, after) as reader:
            while events := await reader.next():
                for event in events:
                    yield event
                    if event.terminal:
                        return

    async def wait(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> Sequence[JobEvent]:
        """Some events of a job that is not of this process; none if there never will be any.

        Raises:
            JobNotFoundError: There is no such job, or it has been deleted.
            UnavailableError: The service has stopped.
        """
        await self._history.get(user_id, job_id)
        async with self._readers.open(user_id, job_id, after) as reader:
            return await reader.next()

    async def cancel(self, user_id: uuid.UUID, job: Job) -> Job:
        """Tell the process that runs a job to cancel it, and wait until it has ended; return what it then is.

        Raises:
            JobElsewhereError: That process does not answer.
            RedisUnavailableError: It cannot be told.
        """
        runner = await self._history.runner(job.id)
        if runner is not None:
            await self._streams.tell(runner, _CANCEL, job.id)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.cancel_timeout + self._settings.commit_patience):
                await self._end_of(user_id, job.id)
        job = await self._history.get(user_id, job.id)
        if not job.status.finished:
            raise JobElsewhereError(job.id)
        return job

    async def deleted(self, user_id: uuid.UUID, job_id: uuid.UUID, runner: uuid.UUID | None) -> None:
        """Let the process that ran a job forget it."""
        with suppress(RedisUnavailableError):
            if runner is not None and self._host is not None and runner != self._host.archive.instance_id:
                await self._streams.tell(runner, _DROP, job_id)
            await self._streams.forget(self._streams.log(job_id), self._streams.cursor(job_id))

    async def recover(self, archive: Archive) -> int:
        """Mark the unfinished jobs of every expired lease as interrupted and close their logs; returns how many."""
        return await self._takeover.run(archive.instance_id)

    async def _end_of(self, user_id: uuid.UUID, job_id: uuid.UUID) -> None:
        top = await self._streams.top(job_id)
        if (await self._history.get(user_id, job_id)).status.finished:
            return
        async with self._readers.open(user_id, job_id, top.event_id) as reader:
            while events := await reader.next():
                if events[-1].terminal:
                    return

    def _obey(self, command: str, job_id: uuid.UUID) -> None:
        live = None if self._host is None else self._host.jobs.get(job_id)
        if live is None or self._host is None:
            return
        if command == _CANCEL and not live.log.closed:
            self._host.end(live, EndReason.CANCELLED)
        elif command == _DROP:
            live.drop()
            self._host.jobs.remove(live)

    def _fenced(self, live: LiveJob) -> None:
        if self._host is not None:
            self._host.archive.note(live, True)  # which finds that the lease is lost
            self._host.end(live, EndReason.UNREACHABLE)

    @property
    def _failing(self) -> Exception | None:
        parts = (self._publisher, self._feeds)
        return next((part.failure for part in parts if part is not None and part.failure is not None), None)
