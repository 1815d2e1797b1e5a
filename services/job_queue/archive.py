"""Group commit: what all jobs of this process append goes to the database together, a few times a second at most."""

import asyncio
import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import DataError, IntegrityError

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import new_id, utc_now
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.errors import NotFoundError, UnavailableError
from bedplate.services.job_queue.change import Change
from bedplate.services.job_queue.live import LiveJob
from bedplate.services.job_queue.models import JobStatus
from bedplate.services.job_queue.refused import Refused
from bedplate.services.job_queue.segments import encode_events
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.job_queue import JobQueueSettings
from bedplate.services.telemetry import TelemetryService

__all__ = ["Archive"]

_LOOKED_UP_AT_ONCE: Final = 500
_JOBS_AT_ONCE: Final = 1_000
"""Most jobs that are written in one transaction, so that other writers get a turn."""
_REFUSED: Final = (IntegrityError, DataError)
_RETRY_FIRST: Final = 0.05
_RETRY_LAST: Final = 2.0

_log = get_logger("bedplate.job_queue")


class LeaseLostError(Exception):
    """Another process took this one for dead and has ended its jobs."""


class Archive:
    """Writes jobs and their events to the database, all that has gathered in one transaction.

    Each transaction also renews the lease of this process, and fails if the lease is gone, so that a process that was
    taken for dead writes nothing more.

    Args:
        settings: Settings of the job queue.
        database: Where to write.
        telemetry: For the metrics.
        on_lost: Called when another process has ended this one's jobs.
    """

    def __init__(
        self,
        settings: JobQueueSettings,
        database: DatabaseService,
        telemetry: TelemetryService,
        on_lost: Callable[[], None],
    ) -> None:
        self.instance_id = new_id()
        self.reserved = settings.max_events + 1
        """Highest id that a log of this process may hand out."""
        self._settings = settings
        self._database = database
        self._on_lost = on_lost
        self._registered = False
        self._refused = Refused(database, settings.lease_ttl)
        self._dirty: list[LiveJob] = []
        self._appended = 0
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._failing_since: float | None = None
        self._events = telemetry.meter.counter("bedplate_job_queue_events", "Events written to the database")
        self._failures = telemetry.meter.counter("bedplate_job_queue_commit_failures", "Failed commits of job events")
        self._lost = telemetry.meter.counter(
            "bedplate_job_queue_events_lost", "Events that could not be written to the database"
        )
        self._seconds = telemetry.meter.histogram(
            "bedplate_job_queue_commit_seconds", "Seconds that a commit of job events took"
        )

    @property
    def failing_since(self) -> float | None:
        """When, on the loop's clock, the database began to fail; None while it works."""
        return self._failing_since

    async def start(self, *, register: bool) -> None:
        """Begin to write; with ``register``, this process gets its lease now and not with its first job."""
        if register:
            await self._write([])
            self._arm_heartbeat()
        self._task = asyncio.create_task(self._run(), name="bedplate-job-archive")

    async def stop(self) -> None:
        """Write what is left, give the lease back, and end."""
        self._closing = True
        self._due.set()
        try:
            if self._task is not None:
                await asyncio.wait([self._task])
            if self._registered and not self._dirty:
                async with self._database.transaction() as session:
                    await JobRepository(session).delete_instance(self.instance_id)
        except Exception as error:
            _log.warning("lease was not given back", error=type(error).__name__)
        finally:
            if self._task is not None:
                self._task.cancel()
            for timer in (self._timer, self._heartbeat):
                if timer is not None:
                    timer.cancel()

    def note(self, live: LiveJob, urgent: bool) -> None:
        """Remember that a job has something to write; an urgent one does not wait for others."""
        self._appended += 1
        if not live.dirty:
            live.dirty = True
            self._dirty.append(live)
            if self._timer is None:
                # Half of the time for gathering, so that the other half is left for writing.
                wait = self._settings.commit_interval / 2
                self._timer = asyncio.get_running_loop().call_later(wait, self._due.set)
        if urgent or self._appended >= self._settings.commit_events:
            self._due.set()

    async def _run(self) -> None:
        while not self._closing or self._dirty:
            await self._due.wait()
            self._due.clear()
            await self._flush()
            if self._failing_since is not None and not self._closing:
                await asyncio.sleep(self._retry_wait())
                self._due.set()
            elif self._closing and self._failing_since is not None:
                return

    async def _flush(self) -> None:
        batch = self._gather()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            await self._refused.withdraw()
            if self._failing_since is not None:
                batch = await self._reconciled(batch)
            for start in range(0, len(batch) or 1, _JOBS_AT_ONCE):
                await self._write_or_isolate(batch[start : start + _JOBS_AT_ONCE])
        except LeaseLostError:
            self._start_anew(batch)
        except Exception as error:
            self._failed(batch, error, begun)
        else:
            self._failing_since = None
            self._seconds.record(loop.time() - begun)
        self._arm_heartbeat()

    def _gather(self) -> list[Change]:
        dirty, self._dirty, self._appended = self._dirty, [], 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for live in dirty:
            live.dirty = False
        return [Change(live) for live in dirty if not live.dropped]

    async def _write_or_isolate(self, batch: list[Change]) -> None:
        try:
            await self._write(batch)
        except _REFUSED:
            # One job has what the database refuses, such as an owner deleted meanwhile: it must not stop the others.
            for change in batch:
                await self._write_alone(change)

    async def _write_alone(self, change: Change) -> None:
        try:
            await self._write([change])
        except _REFUSED as error:
            known = (await self._progress([change.live.id])).get(change.live.id)
            self._drop(change, error, deleted=known is None)

    async def _reconciled(self, batch: list[Change]) -> list[Change]:
        """What is left to write after a failure: a commit may have come through though its answer has not."""
        lives = [change.live for change in batch]
        known = await self._progress([live.id for live in lives])
        for live in lives:
            if live.id in known:
                status, last = known[live.id]
                live.stored_status = JobStatus(status)
                live.log.committed_up_to(last)
        return [Change(live) for live in lives]

    async def _progress(self, job_ids: list[uuid.UUID]) -> dict[uuid.UUID, tuple[str, int]]:
        known: dict[uuid.UUID, tuple[str, int]] = {}
        async with self._database.session() as session:
            for start in range(0, len(job_ids), _LOOKED_UP_AT_ONCE):
                known |= await JobRepository(session).progress(job_ids[start : start + _LOOKED_UP_AT_ONCE])
        return known

    async def _write(self, batch: list[Change]) -> None:
        expires = utc_now() + timedelta(seconds=self._settings.lease_ttl)
        events = list(itertools.chain.from_iterable(encode_events(c.live.id, c.events) for c in batch if c.events))
        async with self._database.transaction() as session:
            repository = JobRepository(session)
            # Also of a process that is new: its answer may have been lost when it registered.
            if not await repository.renew_lease(self.instance_id, expires):
                if self._registered:
                    raise LeaseLostError
                await repository.insert_instance(self.instance_id, utc_now(), expires)
            if inserts := [c.job_row(self.instance_id, self.reserved) for c in batch if c.insert]:
                await repository.insert_jobs(inserts)
            if events:
                await repository.insert_events(events)
            if updates := [c.update_row() for c in batch if c.update]:
                await repository.update_jobs(updates)
        self._registered = True
        self._events.add(sum(len(change.events) for change in batch))
        for change in batch:
            change.applied()

    def _failed(self, batch: list[Change], error: Exception, begun: float) -> None:
        self._failures.add()
        if self._failing_since is None:
            self._failing_since = begun
            _log.warning("job events are not written to the database", error=type(error).__name__)
        patience_ends = self._failing_since + self._settings.commit_patience
        out_of_patience = self._closing or asyncio.get_running_loop().time() >= patience_ends
        again: list[LiveJob] = []
        for change in batch:
            live = change.live
            if change.insert and live.stored_status is None:
                self._refuse(live, error)
                continue
            live.dirty = True
            again.append(live)
            if out_of_patience:
                live.give_up()
        self._dirty = again + [live for live in self._dirty if live not in again]

    def _refuse(self, live: LiveJob, error: Exception) -> None:
        live.dropped = True
        self._refused.add(live)
        refusal = UnavailableError(
            "the job could not be stored",
            service="job_queue",
            why=type(error).__name__,
            fix="see whether the database works, then try again",
        )
        refusal.__cause__ = error
        live.refuse(refusal)

    def _drop(self, change: Change, error: Exception, *, deleted: bool) -> None:
        live = change.live
        self._lost.add(len(change.events))
        if live.stored_status is None:
            live.dropped = True
            missing = NotFoundError("the user or the flow of the job is not there", service="job_queue")
            missing.__cause__ = error
            live.refuse(missing)
            return
        _log.warning("job cannot be written", job_id=str(live.id), deleted=deleted, error=type(error).__name__)
        if live.task is not None:
            live.task.cancel()
        live.drop(deleted=deleted)

    def _start_anew(self, batch: list[Change]) -> None:
        """Take a new identity: what the old one ran has been ended by others."""
        _log.error("lease was lost: the jobs of this process have been marked as interrupted by another one")
        self.instance_id = new_id()
        self._registered = False
        self._on_lost()
        for change in batch:
            if change.insert and not change.live.dirty:
                change.live.dirty = True
                self._dirty.append(change.live)
        self._due.set()

    def _retry_wait(self) -> float:
        assert self._failing_since is not None  # noqa: S101 - narrows the type
        failing_for = asyncio.get_running_loop().time() - self._failing_since
        return min(max(_RETRY_FIRST, failing_for / 2), _RETRY_LAST)

    def _arm_heartbeat(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._registered or self._failing_since is not None:
            wait = self._settings.lease_ttl / 3
            self._heartbeat = asyncio.get_running_loop().call_later(wait, self._due.set)
