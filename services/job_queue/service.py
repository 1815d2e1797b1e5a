"""The job queue service."""

import asyncio
import uuid
from collections.abc import Callable

from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.errors import InvalidInputError, UnavailableError
from bedplate.services.job_queue.archive import Archive
from bedplate.services.job_queue.deadlines import Deadlines
from bedplate.services.job_queue.errors import JobNotFoundError, JobQueueDrainingError
from bedplate.services.job_queue.history import History
from bedplate.services.job_queue.live import EndReason, JobWork, LiveJob
from bedplate.services.job_queue.log_host import LogHost, LogLimits
from bedplate.services.job_queue.maintenance import Maintenance
from bedplate.services.job_queue.models import Job
from bedplate.services.job_queue.reader import JobReader
from bedplate.services.job_queue.recovery import delete_old_jobs
from bedplate.services.job_queue.registry import LiveJobs
from bedplate.services.job_queue.relay import Relay, RelayHost
from bedplate.services.job_queue.supervisor import Supervisor
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.watchers import Watchers

__all__ = ["JobQueueService"]

_log = get_logger("bedplate.job_queue")


class JobQueueService(Service, JobReader):
    """Background jobs of users, each with an append-only log of events.

    The log of a running job is in memory and goes to the database in groups: readers see an event at once, and it is
    committed within ``commit_interval`` or ``commit_events``. The first event and the last one, which closes the log,
    are committed before anybody sees them. Any number of readers read by index from any id; none can slow or harm
    another, or the writer. After ``keep_finished`` the log is read from the database alone.

    A full boot of this service takes a lease for the process, and marks the jobs of expired leases as interrupted. A
    partial boot that does not include it, such as that of a command that needs the database only, recovers nothing;
    a command that wants to look at jobs sets ``BEDPLATE_JOB_QUEUE__RECOVER`` to false.

    Args:
        settings: The settings service; its group is ``job_queue``.
        telemetry: For the metrics.
        database: Where jobs and events are kept.
        relay: How jobs are told of to other processes; None: by the database alone.
    """

    type = ServiceType.JOB_QUEUE

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        relay: Relay | None = None,
    ) -> None:
        values = settings.values.job_queue
        JobReader.__init__(
            self,
            values,
            LiveJobs(values.max_memory_bytes, values.keep_finished, telemetry),
            History(database, values.follow_interval),
            relay or Relay(settings, telemetry, database),
        )
        self._telemetry = telemetry
        self._database = database
        self.backend = self._relay.backend
        self._watchers: Watchers[Job] = Watchers()
        self._supervisor = Supervisor(self._settings, telemetry, self._changed)
        self._archive: Archive | None = None
        self._keeper = Maintenance(values, database, self._jobs, self._relay)
        self._maintenance: asyncio.Task[None] | None = None
        self._draining = False
        self._patience: Deadlines[asyncio.Future[None]] = Deadlines(_wake)
        truncated = telemetry.meter.counter(
            "bedplate_job_queue_events_truncated", "Events that were too large and replaced by a note"
        )
        limits = LogLimits(
            max_events=self._settings.max_events,
            max_event_bytes=self._settings.max_event_bytes,
            max_log_bytes=self._settings.max_log_bytes,
        )
        self._host = LogHost(
            limits, self._jobs.memory, self._relay.appended, truncated.add, self._done, self._relay.log_type
        )
        # One object for all jobs: each access to a method makes another one.
        self._when_closed = self._closed

    async def submit(
        self,
        user_id: uuid.UUID,
        work: JobWork,
        *,
        kind: str = "flow",
        flow_id: uuid.UUID | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Store a job and start its work in the background; call it outside of any database transaction.

        The work runs in a copy of the caller's :mod:`contextvars`, in its trace for one, however long it waits.

        Args:
            user_id: The owner.
            work: What the job does; it is given the log.
            kind: What sort of work it is.
            flow_id: The flow that it runs, if any.
            session_id: The session that it runs in, if any.
            timeout: Seconds that it may take; None: ``job_timeout``.

        Raises:
            TooManyJobsError: Too many jobs are waiting or running.
            JobQueueDrainingError: The process is about to stop.
            UnavailableError: The service is not started, or the job could not be stored.
        """
        self._require_started()
        if self._draining:
            raise JobQueueDrainingError
        self._relay.require()
        if timeout is not None and timeout <= 0:
            raise InvalidInputError(
                "the timeout of a job must be positive", service="job_queue", fix="pass None or > 0"
            )
        live = LiveJob(
            user_id,
            work,
            kind=kind,
            flow_id=flow_id,
            session_id=session_id,
            timeout=self._settings.job_timeout if timeout is None else timeout,
            host=self._host,
            on_closed=self._when_closed,
        )
        self._supervisor.admit(live)
        self._jobs.add(live)
        self._note(live, True)
        try:
            await live.accepted
        except asyncio.CancelledError:
            self._supervisor.request_end(live, EndReason.CANCELLED)
            raise
        except Exception:
            self._supervisor.withdraw(live)
            self._jobs.remove(live)
            raise
        self._tell(live)
        self._supervisor.launch(live)
        return live.snapshot()

    def watch(self, watcher: Callable[[Job], None]) -> Callable[[], None]:
        """Call ``watcher`` with each job of this process when it has been stored, begins to run, and has ended.

        A job has ended when its last event can be read. Returns what ends the watch.
        """
        return self._watchers.add(watcher)

    async def cancel(self, user_id: uuid.UUID, job_id: uuid.UUID) -> Job:
        """Cancel a job and wait until it has ended; do nothing if it has.

        The work gets ``CancelledError`` at its next await and may tidy up for ``cancel_timeout``; after that the job
        counts as cancelled whatever its work does. Returns the job as it then is: one that came to its end just
        before is not ``cancelled``.

        Raises:
            JobNotFoundError: There is none with this id, or it is somebody else's.
            JobElsewhereError: Another process runs it, which cannot be told or does not answer.
        """
        live = self._own(user_id, job_id)
        if live is None:
            job = await self._history.get(user_id, job_id)
            if not job.status.finished:
                return await self._relay.cancel(user_id, job)
            return job
        await self._end(live)
        return live.snapshot()

    async def cleanup(self, user_id: uuid.UUID, job_id: uuid.UUID) -> None:
        """Delete a job and its log, cancelling it first if it runs.

        Raises:
            JobNotFoundError: There is none with this id, or it is somebody else's.
            JobElsewhereError: Another process runs it, which cannot be told or does not answer.
        """
        await self.cancel(user_id, job_id)
        async with self._database.transaction() as session:
            repository = JobRepository(session)
            runner = await repository.runner(job_id)
            if not await repository.delete(user_id, job_id):
                raise JobNotFoundError(job_id)
        live = self._jobs.get(job_id)
        if live is not None:
            live.drop()
            self._jobs.remove(live)
        await self._relay.deleted(user_id, job_id, runner)

    async def drain(self, patience: float) -> None:
        """Take no new jobs until the next start, and let those that are there end.

        Those that have not after ``patience`` seconds are asked to, and have ``cancel_timeout`` for it: their readers
        get a terminal event that says so while they can still be reached. :meth:`stop` ends jobs too, without waiting.
        """
        self._draining = True
        await self._supervisor.drain(patience)

    async def delete_old(self) -> int:
        """Delete the jobs of all users that ended longer than ``retention`` ago, with their logs; how many."""
        self._require_started()
        return await delete_old_jobs(self._database, self._settings.retention)

    async def _start(self) -> None:
        self._draining = False
        self._archive = Archive(self._settings, self._database, self._telemetry, self._lease_lost)
        host = RelayHost(archive=self._archive, jobs=self._jobs, end=self._supervisor.request_end)
        await self._relay.start(host)
        await self._archive.start(register=self._settings.recover)
        if self._settings.recover:
            await self._relay.recover(self._archive)
        self._maintenance = asyncio.create_task(self._keeper.run(self._archive), name="bedplate-job-maintenance")

    async def _stop(self) -> None:
        try:
            if self._maintenance is not None:
                self._maintenance.cancel()
                await asyncio.wait([self._maintenance])
            await self._supervisor.end_all()
        finally:
            self._supervisor.end_now()
            try:
                if self._archive is not None:
                    await self._archive.stop()
            finally:
                try:
                    await self._relay.stop()
                finally:
                    self._let_go()

    async def _check(self) -> str | None:
        self._relay.require()
        if self._archive is not None and self._archive.failing_since is not None:
            seconds = asyncio.get_running_loop().time() - self._archive.failing_since
            return f"job events have not been written to the database for {seconds:.0f} seconds"
        return None

    async def _end(self, live: LiveJob) -> None:
        if not live.log.closed:
            self._supervisor.request_end(live, EndReason.CANCELLED)
        await live.log.wait_done(self._patience, self._settings.cancel_timeout + self._settings.commit_patience)

    def _let_go(self) -> None:
        for live in self._jobs:
            live.refuse(UnavailableError("the service has stopped", service="job_queue"))
            live.give_up()
        self._jobs.clear()
        self._archive = self._maintenance = None

    def _note(self, live: LiveJob, urgent: bool) -> None:
        if self._archive is not None:
            self._archive.note(live, urgent)

    def _changed(self, live: LiveJob, urgent: bool) -> None:
        self._note(live, urgent)
        self._tell(live)

    def _tell(self, live: LiveJob) -> None:
        if self._watchers:
            self._watchers.tell(live.snapshot())

    def _done(self, live: LiveJob) -> None:
        self._relay.shown(live)
        if self._watchers:  # a little later: whoever shows the last event settles the status after that
            asyncio.get_running_loop().call_soon(self._tell, live)

    def _closed(self, live: LiveJob) -> None:
        self._supervisor.closed(live)
        self._jobs.finished(live)

    def _lease_lost(self) -> None:
        assert self._archive is not None  # noqa: S101 - only a running archive calls this
        for live in self._jobs:
            if live.stored_status is not None and not live.stored_status.finished:
                self._relay.superseded(live, self._archive.reserved)
                if live.task is not None:
                    live.task.cancel()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
