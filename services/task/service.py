"""The task service."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import ForeignKeyViolationError, UniqueViolationError
from bedplate.services.database.repositories.task_run import TaskRunRepository, insert_run
from bedplate.services.database.violations import violations
from bedplate.services.errors import NotFoundError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.task.attempt import Claim
from bedplate.services.task.backend import Due, TaskBackend
from bedplate.services.task.checks import CHECKS
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.errors import (
    TaskKeyTakenError,
)
from bedplate.services.task.here import ExecutesHere
from bedplate.services.task.models import TaskRun
from bedplate.services.task.registry import TaskRegistry, default_registry
from bedplate.services.task.retrying import Duration
from bedplate.services.task.room import Room
from bedplate.services.task.rows import run_of
from bedplate.services.task.runs import Runs
from bedplate.services.task.submission import new_run
from bedplate.services.telemetry import TelemetryService

__all__ = ["TaskService"]

Task = str | Callable[..., Any]
"""A task by its name, or by its function."""


class TaskService(Runs):
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
        super().__init__(settings.values.task, database, backend)
        self.backend = backend.name
        self.registry = registry
        self._room = Room(self._settings.max_queued)
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
            due = Due(**{name: row[name] for name in Due.__struct_fields__})
            self._database.after_commit(lambda: self.carrier.announce(due))

    async def _insert(self, row: dict[str, Any], *, check_room: bool) -> None:
        columns = {name: value for name, value in row.items() if value is not None}
        try:
            with violations():
                if not check_room:
                    await self._database.execute(insert_run, columns)
                    return
                async with self._database.transaction() as session:
                    repository = TaskRunRepository(session)
                    await self._room.take(row["user_id"], lambda: repository.count_queued(row["user_id"]))
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
