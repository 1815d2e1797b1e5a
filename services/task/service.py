"""The task service."""

import asyncio
import builtins
import math
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import ForeignKeyViolationError, UniqueViolationError
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.cursor import decode_cursor, encode_cursor
from bedplate.services.database.repositories.task_run import TaskRunRepository, insert_run
from bedplate.services.database.retention import BATCH
from bedplate.services.database.violations import violations
from bedplate.services.errors import NotFoundError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.task.attempt import Claim, EndReason
from bedplate.services.task.backend import TaskBackend
from bedplate.services.task.checks import CHECKS
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.errors import (
    TaskFailedError,
    TaskKeyTakenError,
    TaskNotDeadError,
    TaskNotFoundError,
    TaskUnfinishedError,
    TaskWaitError,
    TooManyTasksError,
)
from bedplate.services.task.models import TaskPage, TaskRun, TaskStatus
from bedplate.services.task.registry import TaskRegistry, default_registry
from bedplate.services.task.retention import delete_old_runs
from bedplate.services.task.retrying import Duration
from bedplate.services.task.rows import run_of
from bedplate.services.task.submission import new_run
from bedplate.services.task.transitions import finished, requeued
from bedplate.services.task.waiting import Waiters
from bedplate.services.telemetry import TelemetryService

__all__ = ["ExecutesHere", "TaskService"]

_MAX_PAGE: Final = 500
_NOT_LISTED: Final = {"result": None, "traceback": None}

Task = str | Callable[..., Any]
"""A task by its name, or by its function."""


class ExecutesHere(Protocol):
    """The worker of this process, which the service hands runs to without a way through the database."""

    def reserve(self, definition: TaskDefinition, row: dict[str, Any]) -> bool:
        """Keep a slot for a new run and make its row that of a running one; False, and nothing is changed, if none."""
        ...

    def begin(self, claim: Claim) -> None:
        """Execute a run whose row has been committed."""
        ...

    def withdraw(self, run_id: uuid.UUID, *, unsure: bool) -> None:
        """Give a slot back; ``unsure``: the row may have been committed."""
        ...

    def executes(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> bool:
        """Whether this process executes this run of this owner now."""
        ...

    def ask_to_end(self, run_id: uuid.UUID, reason: EndReason) -> bool:
        """Ask a run to end; False if this process does not execute it."""
        ...


class TaskService(Service):
    """Background functions by name, durable in the database.

    A run that has been submitted is executed at least once: by this process or another, again after a failure while
    attempts are left, and again when the process that executed it has died. So its function should cope with being
    called twice. The database is the truth about every run; a backend only brings ids to workers.

    This service submits, looks and cancels. What executes is :class:`~bedplate.services.task.worker.TaskWorker`, which
    a full boot starts beside it; a partial boot of this service, as of a command, executes and recovers nothing.

    Args:
        settings: The settings; its group is ``task``.
        telemetry: For the metrics.
        database: Where the runs are kept.
        backend: What brings runs to workers.
        registry: The tasks that this process knows.

    Attributes:
        registry: See above.
        waiters: Who waits for which run.
    """

    type = ServiceType.TASK
    checks = CHECKS

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        backend: TaskBackend,
        registry: TaskRegistry = default_registry,
    ) -> None:
        self._settings = settings.values.task
        self._database = database
        self.carrier = backend
        self.backend = backend.name
        self.registry = registry
        self.waiters = Waiters()
        self._worker: ExecutesHere | None = None
        self._submitted = telemetry.meter.counter("bedplate_task_submitted", "Tasks submitted", labels=("task",))

    async def submit(
        self,
        user_id: uuid.UUID | None,
        task: Task,
        arguments: Mapping[str, Any] | None = None,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        key: str | None = None,
        keep_key: bool = True,
        priority: int | None = None,
        timeout: float | None = None,
        max_attempts: int | None = None,
    ) -> TaskRun:
        """Have a task executed in the background, soon or later; it is in the database when this returns.

        Inside a transaction of the caller it is part of that: nobody sees or executes it before the commit, and after
        a rollback there is none.

        Args:
            user_id: The owner; None: the system.
            task: The name of the task, or its function.
            arguments: What the function is given, by parameter: data that JSON can hold.
            delay: Seconds, or a ``timedelta``, before it may be started.
            at: The moment from which it may be started, in place of a delay.
            key: With a key, the same submit may be made any number of times: all but the first return the first's run.
            keep_key: Whether that holds as long as the run is kept; False: until it has finished.
            priority: Higher goes first; None: as the task says.
            timeout: Seconds that one attempt may take; None: as the task or the settings say.
            max_attempts: How often it is tried that fails; None: as the task or the settings say.

        Raises:
            UnknownTaskError: No task has this name; names the nearest.
            TaskArgumentsError: The arguments do not fit the function.
            TaskArgumentsTooLargeError: They are over the limit.
            TaskScheduleError: Another value makes no sense.
            TaskKeyTakenError: The key belongs to a run with other arguments.
            TooManyTasksError: Too many runs of this owner wait.
            NotFoundError: The owner is not there.
        """
        self._require_started()
        definition = self.registry.get(task)
        row = new_run(
            self._settings,
            definition,
            user_id,
            arguments or {},
            delay=delay,
            at=at,
            key=key,
            keep_key=keep_key,
            priority=priority,
            timeout=timeout,
            max_attempts=max_attempts,
        )
        try:
            await self._store(definition, row)
        except UniqueViolationError:
            return await self._same(row)
        self._submitted.add(task=definition.name)
        return run_of(row)

    async def get(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRun:
        """A run.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
        """
        self._require_started()
        async with self._database.session() as session:
            row = await TaskRunRepository(session).get(user_id, run_id)
        if row is None:
            raise TaskNotFoundError(run_id)
        return run_of(vars(row))

    async def list(
        self,
        user_id: uuid.UUID | None,
        *,
        name: str | None = None,
        status: TaskStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Runs of an owner, newest first, without results and tracebacks; those that failed are the dead letters.

        Args:
            user_id: The owner.
            name: Only those of this task.
            status: Only those with this status.
            limit: Most runs in the page, 1 to 500.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: The cursor was not made here.
        """
        self._require_started()
        limit = max(1, min(limit, _MAX_PAGE))
        before = None if cursor is None else decode_cursor(cursor, service=ServiceType.TASK)
        async with self._database.session() as session:
            rows = await TaskRunRepository(session).page(
                user_id, name=name, status=status, before=before, limit=limit + 1
            )
        items = tuple(run_of(_NOT_LISTED | vars(row)) for row in rows[:limit])
        more = len(rows) > limit
        return TaskPage(items=items, next_cursor=encode_cursor(items[-1].created_at, items[-1].id) if more else None)

    async def wait(self, user_id: uuid.UUID | None, run_id: uuid.UUID, *, timeout: float | None = None) -> TaskRun:
        """Wait until a run has finished; the run as it then is, or as it is when time is up.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskWaitError: The caller has a transaction open, which the run would wait for.
        """
        if self._database.in_transaction:
            raise TaskWaitError
        end = math.inf if timeout is None else time.monotonic() + timeout
        with self.waiters.of(run_id) as written:
            if self._worker is not None and self._worker.executes(user_id, run_id):
                await _set_within(written, end - time.monotonic())
            while not (run := await self.get(user_id, run_id)).status.finished:
                if (left := end - time.monotonic()) <= 0:
                    break
                # Another process may write something as well.
                await _set_within(written, min(left, self._settings.poll_interval))
            return run

    async def result(self, user_id: uuid.UUID | None, run_id: uuid.UUID, *, timeout: float | None = None) -> Any:
        """Wait for a run and return what its function returned, as data.

        Raises:
            TaskFailedError: It failed, was cancelled, or has not finished when time is up.
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskWaitError: The caller has a transaction open.
        """
        run = await self.wait(user_id, run_id, timeout=timeout)
        if run.status is TaskStatus.SUCCEEDED:
            return run.result
        if run.status is TaskStatus.FAILED:
            raise TaskFailedError(run_id, run.error_code or "task_failed", run.error or "the task failed")
        if run.status is TaskStatus.CANCELLED:
            raise TaskFailedError(run_id, "cancelled", "the task was cancelled")
        raise TaskFailedError(run_id, "unfinished", f"the task has not finished within {timeout:g} seconds")

    async def cancel(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRun:
        """Cancel a run, wherever it is executed, and wait until it has ended; do nothing if it has.

        A coroutine gets ``CancelledError`` at its next await, a plain function is told by its context; both may tidy up
        for ``cancel_timeout``, and count as cancelled after that whatever they do.

        Returns:
            The run as it then is: one that came to its end just before is not cancelled. One whose process does not
            answer is still running, with ``cancel_requested``: it ends as cancelled when its process does, or dies.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskWaitError: The caller has a transaction open.
        """
        self._require_started()
        if self._database.in_transaction:
            raise TaskWaitError
        while not (await self.get(user_id, run_id)).status.finished:
            async with self._database.transaction() as session:
                repository = TaskRunRepository(session)
                ended = await repository.cancel_waiting(user_id, run_id, finished(TaskStatus.CANCELLED, utc_now()))
                asked = not ended and await repository.request_cancel(user_id, run_id)
            if ended:
                self.waiters.wake(run_id)
            if asked:
                if self._worker is not None:
                    self._worker.ask_to_end(run_id, EndReason.CANCEL)
                patience = self._settings.cancel_timeout + 2 * self._settings.poll_interval + self._settings.lease_ttl
                return await self.wait(user_id, run_id, timeout=patience)
        return await self.get(user_id, run_id)

    async def requeue(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> TaskRun:
        """Have a dead letter tried again, with all its attempts.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskNotDeadError: It has not failed.
        """
        run = await self.get(user_id, run_id)
        if not await self._requeue(user_id, [run_id]):
            raise TaskNotDeadError(run.id)
        return await self.get(user_id, run_id)

    async def requeue_all(self, user_id: uuid.UUID | None) -> int:
        """Have every dead letter of an owner tried again; how many."""
        self._require_started()
        return await self._requeue(user_id, None)

    async def delete(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> None:
        """Delete a run that has finished.

        Raises:
            TaskNotFoundError: There is none with this id, or it is somebody else's.
            TaskUnfinishedError: It has not finished.
        """
        await self.get(user_id, run_id)
        async with self._database.transaction() as session:
            if not await TaskRunRepository(session).delete(user_id, run_id):
                raise TaskUnfinishedError(run_id)

    async def delete_old(self, *, limit: int = BATCH) -> int:
        """Delete one batch of runs of anyone that finished longer ago than the settings keep them; how many."""
        self._require_started()
        return await delete_old_runs(self._database, self._settings, limit=limit)

    def attach(self, worker: ExecutesHere | None) -> None:
        """Hand new runs to a worker of this process; None: to nobody."""
        self._worker = worker

    async def _start(self) -> None:
        await self.carrier.start()

    async def _stop(self) -> None:
        await self.carrier.stop()

    async def _check(self) -> str | None:
        return await self.carrier.check()

    async def _store(self, definition: TaskDefinition, row: dict[str, Any]) -> None:
        """Commit a new run and have it executed; at once in this process if it can be."""
        worker = self._worker
        here = (
            worker is not None
            and row["run_at"] <= row["created_at"]
            and not self._database.in_transaction
            and worker.reserve(definition, row)
        )
        try:
            await self._insert(row, check_room=not here)
        except BaseException as error:
            if here and worker is not None:
                worker.withdraw(row["id"], unsure=not isinstance(error, UniqueViolationError | NotFoundError))
            raise
        if here and worker is not None:
            worker.begin(Claim(**{name: row[name] for name in Claim.__struct_fields__ if name in row}, waited=0.0))
        else:
            self._database.after_commit(
                lambda: self.carrier.announce(row["id"], row["run_at"], row["priority"]),
            )

    async def _insert(self, row: dict[str, Any], *, check_room: bool) -> None:
        columns = {name: value for name, value in row.items() if value is not None}
        try:
            with violations():
                if not check_room:
                    await self._database.execute(insert_run, columns)
                    return
                async with self._database.transaction() as session:
                    repository = TaskRunRepository(session)
                    if await repository.count_queued(row["user_id"]) >= self._settings.max_queued:
                        raise TooManyTasksError(self._settings.max_queued)
                    await repository.insert(columns)
        except ForeignKeyViolationError as error:
            raise NotFoundError("the owner of the task is not there", service=self.type) from error

    async def _same(self, row: dict[str, Any]) -> TaskRun:
        """The run that has the key of this one already."""
        async with self._database.session() as session:
            other = await TaskRunRepository(session).by_key(row["unique_key"])
        if other is None or other.arguments != row["arguments"]:
            raise TaskKeyTakenError(row["id"] if other is None else other.id)
        return run_of(vars(other))

    async def _requeue(self, user_id: uuid.UUID | None, run_ids: Collection[uuid.UUID] | None) -> int:
        now = utc_now()
        async with self._database.transaction() as session:
            ids: builtins.list[uuid.UUID] = [*await TaskRunRepository(session).requeue(user_id, run_ids, requeued(now))]

        def announce() -> None:
            for run_id in ids:
                self.carrier.announce(run_id, now, 0)

        self._database.after_commit(announce)
        return len(ids)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, or time is up; it is not set afterwards."""
    try:
        async with asyncio.timeout(None if seconds == math.inf else seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
