"""Errors of the task service.

::

    ConfigurationError
    ├── TaskDefinitionError       a function cannot be a task
    └── TaskNameTakenError        two functions want to be the same task
    InvalidInputError
    ├── UnknownTaskError          no task has this name
    ├── TaskArgumentsError        the arguments do not fit the function
    ├── TaskScheduleError         a delay, a moment, a priority or a cron expression makes no sense
    ├── TaskResultError           what a function returned is not data, or too large
    └── TooLargeError
        └── TaskArgumentsTooLargeError
    NotFoundError
    └── TaskNotFoundError         no such run, or not the caller's
    ConflictError
    ├── TaskKeyTakenError         the unique key belongs to a run with other arguments
    ├── TaskNotDeadError          what has not failed cannot be requeued
    ├── TaskUnfinishedError       what has not finished cannot be deleted
    └── TaskWaitError             waiting inside a transaction would never end
    RateLimitedError
    └── TooManyTasksError         too many tasks wait
    BedplateError
    ├── TaskFailedError           the run that was waited for came to no result
    └── Retry, Snooze, GiveUp     what a function raises to say how it goes on; see ``retrying.py``
"""

import difflib
import uuid
from collections.abc import Iterable

from bedplate.services.errors import (
    BedplateError,
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "TaskArgumentsError",
    "TaskArgumentsTooLargeError",
    "TaskDefinitionError",
    "TaskFailedError",
    "TaskKeyTakenError",
    "TaskNameTakenError",
    "TaskNotDeadError",
    "TaskNotFoundError",
    "TaskResultError",
    "TaskScheduleError",
    "TaskUnfinishedError",
    "TaskWaitError",
    "TooManyTasksError",
    "UnknownTaskError",
]

_SERVICE = ServiceType.TASK


class TaskDefinitionError(ConfigurationError):
    """A function cannot be a task."""

    code = "task_definition"

    def __init__(self, function: str, why: str, *, fix: str) -> None:
        super().__init__(f"{function} cannot be a task: {why}", service=_SERVICE, fix=fix)


class TaskNameTakenError(ConfigurationError):
    """Two functions want to be the same task."""

    code = "task_name_taken"

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(
            f"two functions are called {name!r}: {first} and {second}",
            service=_SERVICE,
            fix='give one of them another name: @task("another.name")',
        )


class UnknownTaskError(InvalidInputError):
    """No task has this name."""

    code = "task_unknown"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        close = difflib.get_close_matches(name, sorted(known), n=1)
        super().__init__(
            f"there is no task {name[:200]!r}",
            service=_SERVICE,
            fix=f"did you mean {close[0]!r}?"
            if close
            else "name the module that registers it in BEDPLATE_TASK__MODULES",
        )


class TaskArgumentsError(InvalidInputError):
    """The arguments do not fit the function.

    Args:
        name: The task.
        why: What does not fit; no value is in it.
    """

    code = "task_arguments"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"the arguments do not fit the task {name!r}: {why}",
            service=_SERVICE,
            fix="give data that JSON can hold, as the signature of its function asks for",
        )


class TaskArgumentsTooLargeError(TooLargeError):
    """The arguments are over the limit."""

    code = "task_arguments_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the arguments have more than {limit} bytes of JSON",
            service=_SERVICE,
            fix="save what is large in the storage and pass its name, or raise BEDPLATE_TASK__MAX_ARGUMENT_BYTES",
        )


class TaskScheduleError(InvalidInputError):
    """A delay, a moment, a timeout, a priority, a key or a cron expression makes no sense."""

    code = "task_schedule"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=_SERVICE, fix=fix)


class TaskResultError(InvalidInputError):
    """What a function returned is not data, or is too large; trying again would not help."""

    code = "task_result"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=_SERVICE, fix=fix)


class TaskNotFoundError(NotFoundError):
    """The run is not there, or belongs to somebody else."""

    code = "task_not_found"

    def __init__(self, run_id: uuid.UUID) -> None:
        super().__init__(f"there is no task {run_id}", service=_SERVICE)
        self.run_id = run_id


class TaskKeyTakenError(ConflictError):
    """The unique key belongs to a run with other arguments."""

    code = "task_key_taken"

    def __init__(self, run_id: uuid.UUID) -> None:
        super().__init__(
            f"the key belongs to the task {run_id}, which has other arguments",
            service=_SERVICE,
            fix="use one key for one set of arguments",
        )
        self.run_id = run_id


class TaskNotDeadError(ConflictError):
    """What has not failed cannot be requeued."""

    code = "task_not_dead"

    def __init__(self, run_id: uuid.UUID) -> None:
        super().__init__(f"the task {run_id} has not failed", service=_SERVICE, fix="submit it anew")


class TaskUnfinishedError(ConflictError):
    """What has not finished cannot be deleted."""

    code = "task_unfinished"

    def __init__(self, run_id: uuid.UUID) -> None:
        super().__init__(f"the task {run_id} has not finished", service=_SERVICE, fix="cancel it first")


class TaskWaitError(ConflictError):
    """Waiting for a run inside a transaction would never end: the run cannot be written before the transaction ends."""

    code = "task_wait"

    def __init__(self) -> None:
        super().__init__(
            "a task cannot be waited for inside a database transaction",
            service=_SERVICE,
            fix="submit inside the transaction, and wait after it",
        )


class TooManyTasksError(RateLimitedError):
    """Too many tasks of one owner wait."""

    code = "too_many_tasks"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} tasks are waiting",
            service=_SERVICE,
            retry_after=10.0,
            fix="try again when some have ended, or raise BEDPLATE_TASK__MAX_QUEUED",
        )


class TaskFailedError(BedplateError):
    """The run that was waited for came to no result.

    Attributes:
        run_id: The run.
        reason: The stable identifier of why, as in :attr:`TaskRun.error_code`.
    """

    code = "task_failed"

    def __init__(self, run_id: uuid.UUID, reason: str, what: str) -> None:
        super().__init__(what, service=_SERVICE)
        self.run_id = run_id
        self.reason = reason
