"""The task service: background functions, registered by name, durable in the database, executed at least once."""

from bedplate.services.task.backend import Due, RunsTasks, TaskBackend
from bedplate.services.task.context import TaskContext
from bedplate.services.task.definition import TaskDefinition, TaskOptions
from bedplate.services.task.errors import (
    TaskArgumentsError,
    TaskArgumentsTooLargeError,
    TaskDefinitionError,
    TaskFailedError,
    TaskKeyTakenError,
    TaskNameTakenError,
    TaskNotDeadError,
    TaskNotFoundError,
    TaskResultError,
    TaskScheduleError,
    TaskUnfinishedError,
    TaskWaitError,
    TooManyTasksError,
    UnknownTaskError,
)
from bedplate.services.task.models import Progress, TaskPage, TaskRun, TaskStatus
from bedplate.services.task.registry import TaskRegistry, default_registry, task
from bedplate.services.task.retrying import Backoff, GiveUp, Retry, Snooze
from bedplate.services.task.service import TaskService
from bedplate.services.task.worker import TaskWorker

__all__ = [
    "Backoff",
    "Due",
    "GiveUp",
    "Progress",
    "Retry",
    "RunsTasks",
    "Snooze",
    "TaskArgumentsError",
    "TaskArgumentsTooLargeError",
    "TaskBackend",
    "TaskContext",
    "TaskDefinition",
    "TaskDefinitionError",
    "TaskFailedError",
    "TaskKeyTakenError",
    "TaskNameTakenError",
    "TaskNotDeadError",
    "TaskNotFoundError",
    "TaskOptions",
    "TaskPage",
    "TaskRegistry",
    "TaskResultError",
    "TaskRun",
    "TaskScheduleError",
    "TaskService",
    "TaskStatus",
    "TaskUnfinishedError",
    "TaskWaitError",
    "TaskWorker",
    "TooManyTasksError",
    "UnknownTaskError",
    "default_registry",
    "task",
]
