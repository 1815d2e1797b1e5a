"""Runs the work of jobs: places to run in, timeouts, cancellation, and exactly one ending for each."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable

from bedplate.services.database.models import utc_now
from bedplate.services.errors import BedplateError
from bedplate.services.job_queue.deadlines import Deadlines
from bedplate.services.job_queue.errors import TooManyJobsError
from bedplate.services.job_queue.live import INTERRUPTED, EndReason, JobLog, LiveJob, failure
from bedplate.services.job_queue.models import JobStatus
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.job_queue import JobQueueSettings
from bedplate.services.telemetry import TelemetryService

__all__ = ["Supervisor"]

_log = get_logger("bedplate.job_queue")


class Supervisor:
    """Starts jobs in the order of their coming, at most so many at once, and sees each to its end.

    Args:
        settings: Settings of the job queue.
        telemetry: For the metrics.
        note: Called when the row of a job has changed.
    """

    def __init__(
        self, settings: JobQueueSettings, telemetry: TelemetryService, note: Callable[[LiveJob, bool], None]
    ) -> None:
        self._settings = settings
        self._note = note
        self._unfinished: set[LiveJob] = set()
        self._quiet = asyncio.Event()
        self._placed: set[LiveJob] = set()
        self._waiting: deque[LiveJob] = deque()
        self._tasks: dict[asyncio.Task[None], LiveJob] = {}
        self._timeouts: Deadlines[LiveJob] = Deadlines(self.time_out)
        self._last_chances: Deadlines[LiveJob] = Deadlines(self._abandon)
        self._ended_jobs: Counter[JobStatus] = Counter()
        # One object for all jobs: each access to a method makes another one.
        self._when_ended = self._ended
        meter = telemetry.meter
        meter.observe_gauge(
            "bedplate_job_queue_running", "Jobs that run in this process", lambda: [(len(self._placed), {})]
        )
        meter.observe_counter(
            "bedplate_job_queue_jobs",
            "Jobs that have ended",
            lambda: [(number, {"status": status.value}) for status, number in self._ended_jobs.items()],
            labels=("status",),
        )
        self._abandoned = meter.counter("bedplate_job_queue_abandoned", "Jobs whose work did not heed its cancellation")

    def admit(self, live: LiveJob) -> None:
        """Take a new job in, and give it a place if there is one.

        Raises:
            TooManyJobsError: There are too many unfinished ones.
        """
        if len(self._unfinished) >= self._settings.max_jobs:
            raise TooManyJobsError(self._settings.max_jobs)
        self._unfinished.add(live)
        if not self._waiting:
            self._place(live)

    def launch(self, live: LiveJob) -> None:
        """Start an admitted job that is now in the database, or let it wait for a place."""
        if live.log.closed:
            self._leave(live)
        elif live in self._placed:
            self._run(live)
        else:
            self._waiting.append(live)
            self._fill()

    def withdraw(self, live: LiveJob) -> None:
        """Forget a job that could not be stored."""
        self._forget(live)
        self._leave(live)

    def request_end(self, live: LiveJob, reason: EndReason) -> None:
        """Ask a job to end; it is asked once, and given up when it has not ended in time."""
        if live.reason is not None:
            return
        live.reason = reason
        if live.task is None:
            self._conclude(live)
            self._leave(live)
        elif not live.task.done():
            live.task.cancel()
            self._timeouts.discard(live)
            self._last_chances.add(live, asyncio.get_running_loop().time() + self._settings.cancel_timeout)

    def time_out(self, live: LiveJob) -> None:
        """Ask a job to end because its time is up."""
        self.request_end(live, EndReason.TIMEOUT)

    def closed(self, live: LiveJob) -> None:
        """Note that the log of a job has been closed."""
        self._forget(live)
        self._ended_jobs[live.status] += 1

    async def drain(self, patience: float) -> None:
        """Wait for so many seconds until every job has ended, then end those that have not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._unfinished:
                    self._quiet.clear()
                    await self._quiet.wait()
        await self.end_all()

    async def end_all(self) -> None:
        """Ask every job to end and wait, for ``cancel_timeout`` at most, until each has."""
        self._ask_all()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=self._settings.cancel_timeout)

    def end_now(self) -> None:
        """Close every log, whether the work has ended or not."""
        self._ask_all()
        for live in list(self._placed):
            self._abandon(live)

    def _forget(self, live: LiveJob) -> None:
        self._unfinished.discard(live)
        if not self._unfinished:
            self._quiet.set()

    def _ask_all(self) -> None:
        for live in [*self._unfinished, *self._placed]:
            self.request_end(live, EndReason.SHUTDOWN)

    def _place(self, live: LiveJob) -> bool:
        if len(self._placed) >= self._settings.max_running:
            return False
        self._placed.add(live)
        live.status = JobStatus.RUNNING
        live.started_at = utc_now()
        return True

    def _leave(self, live: LiveJob) -> None:
        self._placed.discard(live)
        if self._waiting:
            self._fill()

    def _fill(self) -> None:
        while self._waiting:
            live = self._waiting[0]
            if live.log.closed:
                self._waiting.popleft()
            elif self._place(live):
                self._waiting.popleft()
                self._note(live, False)
                self._run(live)
            else:
                return

    def _run(self, live: LiveJob) -> None:
        loop = asyncio.get_running_loop()
        # Often it is the end of another owner's job that makes room for it, and this runs in the context of that one.
        live.task = loop.create_task(_work(live), name=f"bedplate-job-{live.id}", context=live.context)
        self._tasks[live.task] = live
        live.task.add_done_callback(self._when_ended, context=live.context)
        self._timeouts.add(live, loop.time() + live.timeout)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # A callback and not the end of a coroutine: a task that is cancelled before its first step runs none of it.
        live = self._tasks.pop(task)
        self._timeouts.discard(live)
        self._last_chances.discard(live)
        self._conclude(live, task)
        self._leave(live)

    def _conclude(self, live: LiveJob, task: asyncio.Task[None] | None = None) -> None:
        error = None if task is None or task.cancelled() else task.exception()
        if isinstance(error, BedplateError):
            _log.info("job failed", job_id=str(live.id), kind=live.kind, code=error.code)
        elif error is not None:
            _log.error("job failed", job_id=str(live.id), kind=live.kind, exc_info=error)
        match live.reason:
            case EndReason.CANCELLED:
                live.conclude("cancelled", {})
            case EndReason.TIMEOUT:
                live.conclude(
                    "error", {"code": "timeout", "error": f"The job took longer than {live.timeout:g} seconds."}
                )
            case EndReason.SHUTDOWN:
                shutdown = {"code": INTERRUPTED["code"], "error": "The server is shutting down."}
                live.conclude("error", shutdown, JobStatus.INTERRUPTED)
            case EndReason.UNREACHABLE:
                lost = {"code": INTERRUPTED["code"], "error": "The log of the job could not be written to Redis."}
                live.conclude("error", lost, JobStatus.INTERRUPTED)
            case None if error is not None:
                live.conclude("error", failure(error))
            case None if task is not None and task.cancelled():
                live.conclude("error", {"code": "work_cancelled", "error": "The work of the job cancelled itself."})
            case None:
                live.conclude("end", {})

    def _abandon(self, live: LiveJob) -> None:
        if live.task is None or live.task.done():
            return
        self._abandoned.add()
        _log.error("job does not heed its cancellation", job_id=str(live.id), kind=live.kind)
        self._last_chances.discard(live)
        self._conclude(live)
        live.task.cancel()
        self._leave(live)


async def _work(live: LiveJob) -> None:
    await live.work(JobLog(live))
