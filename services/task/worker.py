"""The worker: takes runs under a lease of this process, executes them, and takes over what dead processes left."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

import anyio

from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.services.task.attempt import Claim, EndReason
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.executor import Executor
from bedplate.services.task.journal import Journal
from bedplate.services.task.lease import Lease
from bedplate.services.task.scheduler import Scheduler
from bedplate.services.task.service import TaskService
from bedplate.services.task.taking import Taker
from bedplate.services.task.troubles import Troubles
from bedplate.services.telemetry import TelemetryService

__all__ = ["TaskWorker"]

_SHUTDOWN_GRACE: Final = 2.0

_log = get_logger("bedplate.task")


class TaskWorker(Service):
    """Executes tasks in this process, from its start to its stop, unless a setting says that it does not.

    It is a node of its own beside the task service, so that a boot of the service alone executes and recovers nothing;
    and it starts after all other services and stops before them, since its tasks may use any.

    A process holds its runs under a lease, which it renews; what a process held whose lease has expired is taken over
    by the others. It may not be dead after all: so every write proves that the lease still holds, and its functions
    are asked to end. At its stop it begins nothing more, lets what runs go on for ``drain_timeout``, and gives back
    what has not ended then.

    Args:
        settings: The settings; the group is ``task``.
        telemetry: For the metrics.
        database: Where the runs are.
        redactor: Masks secrets in errors and progress.
        workers: The threads of plain functions.
        task: The task service.
    """

    follows_all: ClassVar[bool] = True
    settings_group: ClassVar[str | None] = "task"

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        redactor: Redactor,
        workers: Workers,
        task: TaskService,
    ) -> None:
        self._settings = settings.values.task
        self._telemetry = telemetry
        self._workers = workers
        self._task = task
        self.backend = task.backend
        self._journal = Journal(database, self._settings, redactor)
        self._lease = Lease(database, self._settings.lease_ttl)
        self._executor: Executor | None = None
        self._loops: asyncio.Task[None] | None = None
        self._troubles = Troubles(telemetry)
        self._queued = telemetry.meter.gauge("bedplate_task_queued", "Tasks that wait, of all processes")

    @property
    def executing(self) -> bool:
        """Whether this process takes and executes tasks now."""
        return self._executor is not None

    async def drain(self, timeout: float) -> None:
        """Take nothing more, let what runs go on for ``timeout`` seconds, and give back what has not ended then."""
        executor = self._executor
        if executor is None:
            return
        self._task.attach(None)
        try:
            await executor.drain(timeout, min(self._settings.cancel_timeout, _SHUTDOWN_GRACE))
        finally:
            self._executor = None
            self._taker.fill(None)
            await self._end(executor)

    # What the service asks for

    def reserve(self, definition: TaskDefinition, row: dict[str, Any]) -> bool:
        """Keep a slot for a new run, if there is one and the lease holds."""
        executor = self._executor
        if executor is None or not self._task.carrier.begins_here:
            return False
        if self._lease.expired or not executor.can_start(definition):
            return False
        executor.reserve(row["id"])
        row |= {
            "status": "running",
            "attempt": 1,
            "instance_id": self._lease.instance_id,
            "started_at": row["created_at"],
        }
        return True

    def begin(self, claim: Claim) -> None:
        """Execute a run whose row has been committed."""
        if self._executor is None:  # the worker is stopping, and gives it back
            return
        self._executor.start(claim)

    def withdraw(self, run_id: uuid.UUID, *, unsure: bool) -> None:
        """Give a slot back; a row that may have been committed is given back at the next heartbeat."""
        if self._executor is not None:
            self._executor.unreserve(run_id)

    def executes(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> bool:
        """Whether this process executes this run of this owner now."""
        return self._executor is not None and self._executor.executes(user_id, run_id)

    def ask_to_end(self, run_id: uuid.UUID, reason: EndReason) -> bool:
        """Ask a run to end; False if this process does not execute it."""
        return self._executor is not None and self._executor.ask_to_end(run_id, reason)

    # Start and stop

    async def _start(self) -> None:
        if not self._settings.execute or not self._task.carrier.delivers:
            return
        await self._lease.take()
        # Made here, as they belong to the event loop of this start: the next one may be in another.
        self._progress_due = asyncio.Event()
        self._beating = asyncio.Lock()
        taker = self._taker = Taker(self._settings, self._task.registry, self._journal, self._lease, self._troubles)
        self._executor = Executor(
            self._settings,
            self._telemetry,
            self._workers,
            self._task.registry,
            self._journal,
            self._lease,
            settled=self._task.waiters.wake,
            freed=taker.freed,
            reported=self._progress_due.set,
        )
        taker.fill(self._executor)
        self._task.attach(self)
        self._loops = asyncio.create_task(self._run(taker), name="bedplate-task-worker")

    async def _stop(self) -> None:
        try:
            await self.drain(self._settings.drain_timeout)
        finally:
            if self._loops is not None:
                self._loops.cancel()
                await asyncio.wait([self._loops])
                self._loops = None

    async def _check(self) -> str | None:
        executor = self._executor
        if executor is None:
            return None
        if self._loops is None or self._loops.done():
            return "what brings tasks to this process has ended"
        if self._lease.expired:
            return "the lease of this process has not been renewed: its tasks may be executed by others"
        if executor.stuck_threads >= self._settings.threads:
            return "every thread is held by a plain function that does not heed being asked to end"
        return None

    async def _end(self, executor: Executor) -> None:
        """Give back what is left, and the lease."""
        executor.abort()
        try:
            await self._journal.give_back(self._lease.instance_id)
            await self._lease.give_up()
        except Exception as error:
            # Others take it over when the lease has expired.
            _log.warning("tasks were not given back", error=type(error).__name__)

    # Loops

    async def _run(self, taker: Taker) -> None:
        async with anyio.create_task_group() as loops:
            loops.start_soon(self._task.carrier.serve, taker)
            loops.start_soon(self._every, self._settings.lease_ttl / 3, self.beat)
            loops.start_soon(self._write_progress)
            if self._settings.schedules:
                loops.start_soon(self._submit_schedules, Scheduler(self._task, self._settings.cron_catch_up))

    async def _every(self, seconds: float, call: Callable[[], Awaitable[None]]) -> None:
        while True:
            with self._troubles.noted("the worker could not look after its tasks"):
                await call()
            await anyio.sleep(seconds)

    async def _write_progress(self) -> None:
        while True:
            await self._progress_due.wait()
            self._progress_due.clear()
            await anyio.sleep(self._settings.progress_interval)
            with self._troubles.noted("progress of tasks was not written"):
                if self._executor is not None:
                    await self._executor.flush_progress()

    async def _submit_schedules(self, scheduler: Scheduler) -> None:
        while True:
            wait = self._settings.poll_interval
            with self._troubles.noted("scheduled tasks were not submitted"):
                wait = await scheduler.tick()
            await anyio.sleep(wait)

    async def beat(self) -> None:
        """Renew the lease, take over what dead processes left, and give back what nobody in this process knows of."""
        executor = self._executor
        if executor is None:
            return
        async with self._beating:
            if not await self._renew(executor):
                return
            names = self._task.registry.names
            changed = await self._journal.recover(self._lease.instance_id, names)
            changed += await self._taker.give_back_strays()
            if changed:
                self._taker.wake()
            counts = await self._journal.counts()
            self._queued.set(counts.get("queued", 0))

    async def _renew(self, executor: Executor) -> bool:
        held = False
        try:
            held = await self._lease.renew()
        finally:
            if not held and self._lease.expired:
                executor.lose()
        if not held:
            _log.error("the lease of this process was ended by another one, which has taken over its tasks")
            executor.lose()
            await self._lease.take()
        return held
