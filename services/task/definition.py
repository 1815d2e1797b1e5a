"""A task: a function with a name, and how it is to be executed."""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from bedplate.services.task.arguments import Arguments
from bedplate.services.task.cron import Cron
from bedplate.services.task.errors import TaskDefinitionError
from bedplate.services.task.retrying import Backoff

__all__ = ["TaskDefinition", "TaskOptions"]

_MAX_NAME = 200


class TaskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a task is executed, where its submitter does not say otherwise.

    Attributes:
        timeout: Seconds that one attempt may take; None: as the settings say.
        max_attempts: How often it is tried; None: as the settings say.
        backoff: When it is tried again; None: as the settings say.
        retry_on: The errors after which it is tried again.
        priority: Higher goes first.
        cron: When it is submitted for the system, again and again, once for all processes together; None: never.
        cron_zone: The time zone that ``cron`` is meant in, by its IANA name.
    """

    timeout: float | None = None
    max_attempts: int | None = None
    backoff: Backoff | None = None
    retry_on: tuple[type[Exception], ...] = (Exception,)
    priority: int = 0
    cron: str | None = None
    cron_zone: str = "UTC"


class TaskDefinition:
    """A task.

    Args:
        name: What it is called, in every process and release.
        function: What it does: a coroutine function, or a plain one that gets a thread.
        options: How it is executed.

    Attributes:
        name: See above.
        function: See above.
        options: See above.
        arguments: What the function takes.
        cron: When it is submitted by itself.
        is_async: Whether it is a coroutine function.
        origin: Where the function is, for messages.

    Raises:
        TaskDefinitionError: The function, its name or its options make no sense.
        TaskScheduleError: The cron expression never fires.
    """

    def __init__(self, name: str, function: Callable[..., Any], options: TaskOptions) -> None:
        self.origin = f"{function.__module__}.{function.__qualname__}"
        if not name or len(name) > _MAX_NAME or not name.isprintable() or "<locals>" in name:
            raise TaskDefinitionError(
                self.origin, f"{name[:_MAX_NAME]!r} is no name of a task", fix='name it: @task("reports.build")'
            )
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TaskDefinitionError(self.origin, "it is a generator", fix="return the result, and report progress")
        if (options.timeout or 1) <= 0 or (options.max_attempts or 1) < 1:
            raise TaskDefinitionError(self.origin, "its options make no sense", fix="timeout > 0, max_attempts >= 1")
        self.name = name
        self.function = function
        self.options = options
        self.arguments = Arguments(name, function)
        self.cron = None if options.cron is None else Cron(options.cron, options.cron_zone)
        if self.cron is not None and self.arguments.required:
            raise TaskDefinitionError(
                self.origin, "it has a cron expression and needs arguments", fix="give every parameter a default"
            )
        self.is_async = inspect.iscoroutinefunction(function)

    def __repr__(self) -> str:
        return f"<TaskDefinition {self.name!r} of {self.origin}>"
