"""Executes runs in this process: so many at once, each in a slot until what came of it is written."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Final

from bedplate.services.database.repositories.task_run import Fence
from bedplate.services.engines.workers import Workers
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.attempt import Attempt, Claim, EndReason, Outcome, OutcomeKind
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.journal import Journal
from bedplate.services.task.lease import Lease
from bedplate.services.task.models import Progress, TaskStatus
from bedplate.services.task.registry import TaskRegistry
from bedplate.services.task.retrying import Backoff
from bedplate.services.telemetry import TelemetryService

__all__ = ["Executor"]

_RETRY_FIRST: Final = 0.05
_RETRY_LAST: Final = 2.0

_log = get_logger("bedplate.task")


class Executor:
    """The slots of this process.

    Args:
        settings: The settings of tasks.
        telemetry: For the metrics.
        workers: The threads of plain functions.
        registry: The tasks.
        journal: Where the outcomes are written.
        lease: What the runs are held under.
        settled: Called with each run of which something was written.
        freed: Called when a slot became free.
        reported: Called when there is progress to write.
    """

    def __init__(
        self,
        settings: TaskSettings,
        telemetry: TelemetryService,
        workers: Workers,
        registry: TaskRegistry,
        journal: Journal,
        lease: Lease,
        *,
        settled: Callable[[uuid.UUID], None],
        freed: Callable[[], None],
        reported: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._journal = journal
        self._lease = lease
        self._settled = settled
        self._freed = freed
        self._progress_due = reported
        self._pool = workers.pool("tasks", settings.threads)
        self._attempts: dict[uuid.UUID, Attempt] = {}
        self._reserved: set[uuid.UUID] = set()
        self._expected = 0
        self._threads: set[Attempt] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._dirty: dict[Fence, Progress] = {}
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        meter = telemetry.meter
        self._running = meter.gauge("bedplate_task_running", "Tasks that this process executes")
        self._attempted = meter.counter("bedplate_task_attempts", "Attempts that ended", labels=("task", "outcome"))
        self._seconds = meter.histogram("bedplate_task_seconds", "Seconds that an attempt took", labels=("task",))
        self._latency = meter.histogram(
            "bedplate_task_latency_seconds", "Seconds from when a task was due until it was started", labels=("task",)
        )
        self._abandoned = meter.counter("bedplate_task_abandoned", "Tasks that did not heed being asked to end")
        self._fenced = meter.counter("bedplate_task_fenced", "Outcomes not written, as the run was no longer held")

    # Slots

    @property
    def free(self) -> int:
        """How many more runs may begin."""
        if self._stopping:
            return 0
        return max(0, self._settings.concurrency - len(self._attempts) - len(self._reserved) - self._expected)

    @property
    def accepting(self) -> bool:
        """Whether runs may still begin, now or when there is a slot."""
        return not self._stopping

    @property
    def held(self) -> Collection[uuid.UUID]:
        """The runs in slots."""
        return self._attempts.keys() | self._reserved

    @property
    def stuck_threads(self) -> int:
        """Threads of plain functions that were given up and still run."""
        return sum(attempt.claim.id not in self._attempts for attempt in self._threads)

    def can_start(self, definition: TaskDefinition) -> bool:
        """Whether a run of this task can begin now."""
        return self.free > 0 and (definition.is_async or len(self._threads) < self._settings.threads)

    def startable(self) -> list[str]:
        """The names of the tasks of which a run can begin now."""
        return [definition.name for definition in self._registry if self.can_start(definition)]

    @contextlib.contextmanager
    def expecting(self, count: int) -> Iterator[None]:
        """Keep slots for so many runs that are not known yet, for the length of the block in which they are begun."""
        self._expected += count
        try:
            yield
        finally:
            self._expected -= count

    def reserve(self, run_id: uuid.UUID) -> None:
        """Keep a slot for a run that is being taken."""
        self._reserved.add(run_id)

    def unreserve(self, run_id: uuid.UUID) -> None:
        """Give a kept slot back."""
        self._reserved.discard(run_id)
        self._freed()

    # Executing

    def start(self, claim: Claim) -> "asyncio.Task[None]":
        """Begin to execute a run that this process holds; ends with the attempt, and never with an ``Exception``."""
        self._reserved.discard(claim.id)
        definition = self._registry.get(claim.name)
        attempt = Attempt(
            claim,
            definition,
            self._pool,
            cancel_timeout=self._settings.cancel_timeout,
            max_result_bytes=self._settings.max_result_bytes,
            reported=self._report,
            left_thread=self._threads.discard,
        )
        self._attempts[claim.id] = attempt
        if not definition.is_async:
            self._threads.add(attempt)
        self._running.set(len(self._attempts))
        self._latency.record(claim.waited, task=claim.name)
        task = self._loop.create_task(self._execute(attempt), name=f"bedplate-task-{claim.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def ask_to_end(self, run_id: uuid.UUID, reason: EndReason) -> bool:
        """Ask a run to end; False if it is not in a slot."""
        attempt = self._attempts.get(run_id)
        if attempt is not None:
            attempt.ask_to_end(reason)
        return attempt is not None

    def executes(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> bool:
        """Whether this run of this owner is in a slot."""
        attempt = self._attempts.get(run_id)
        return attempt is not None and attempt.claim.user_id == user_id

    def lose(self) -> None:
        """Let go of every run: others may have taken them."""
        for attempt in self._attempts.values():
            attempt.ask_to_end(EndReason.LOST)

    async def drain(self, timeout: float, grace: float) -> None:
        """Begin nothing more, let what runs go on for ``timeout`` seconds, and ask what is left to end.

        Args:
            timeout: Seconds to go on for.
            grace: Seconds for what is left to tidy up in.
        """
        self._stopping = True
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=timeout)
        finally:
            for attempt in self._attempts.values():
                attempt.ask_to_end(EndReason.SHUTDOWN)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)

    def abort(self) -> None:
        """Cancel all that is left, whatever becomes of it."""
        for task in self._tasks:
            task.cancel()

    async def flush_progress(self) -> None:
        """Write the progress that was reported since the last time."""
        if self._dirty:
            reports, self._dirty = self._dirty, {}
            await self._journal.report_progress(reports)

    async def _execute(self, attempt: Attempt) -> None:
        claim = attempt.claim
        try:
            outcome = await attempt.run()
            if outcome.abandoned:
                self._abandoned.add()
                _log.error("task does not heed being asked to end", task=claim.name, task_id=str(claim.id))
            status = await self._settle(attempt, outcome)
            self._note(attempt, outcome, status)
        finally:
            self._dirty.pop(claim.fence, None)
            self._attempts.pop(claim.id, None)
            if not attempt.in_thread:
                self._threads.discard(attempt)
            self._running.set(len(self._attempts))
            self._settled(claim.id)
            self._freed()

    async def _settle(self, attempt: Attempt, outcome: Outcome) -> TaskStatus | None:
        """Write the outcome, again and again while the database fails and the lease may still hold."""
        if outcome.kind is OutcomeKind.LOST:
            return None
        wait = _RETRY_FIRST
        while True:
            try:
                return await self._journal.settle(attempt.claim, outcome, attempt.progress, self._backoff(attempt))
            except Exception as error:
                if self._stopping or self._lease.expired:
                    _log.error("outcome of a task was not written", task=attempt.claim.name, error=type(error).__name__)
                    return None
                if wait == _RETRY_FIRST:
                    _log.warning("outcome of a task is not written", error=type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _RETRY_LAST)

    def _note(self, attempt: Attempt, outcome: Outcome, status: TaskStatus | None) -> None:
        name = attempt.claim.name
        self._seconds.record(time.perf_counter() - attempt.begun, task=name)
        if status is None:
            self._fenced.add()
            self._attempted.add(task=name, outcome=OutcomeKind.LOST.value)
            return
        self._attempted.add(task=name, outcome=outcome.kind.value)
        if outcome.kind is OutcomeKind.FAILED:
            _log.warning(
                "task failed" if status is TaskStatus.FAILED else "task failed and is tried again",
                task=name,
                task_id=str(attempt.claim.id),
                code=outcome.error_code,
                error=outcome.error,
            )

    def _backoff(self, attempt: Attempt) -> Backoff:
        own = attempt.definition.options.backoff
        return own or Backoff(first=self._settings.retry_delay, longest=self._settings.retry_max_delay)

    def _report(self, attempt: Attempt) -> None:
        self._loop.call_soon_threadsafe(self._reported, attempt)

    def _reported(self, attempt: Attempt) -> None:
        if attempt.claim.id in self._attempts and attempt.progress is not None:
            self._dirty[attempt.claim.fence] = attempt.progress
            self._progress_due()
