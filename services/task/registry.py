"""The tasks that this process knows, by name."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from bedplate.services.task.definition import TaskDefinition, TaskOptions
from bedplate.services.task.errors import TaskDefinitionError, TaskNameTakenError, UnknownTaskError
from bedplate.services.task.retrying import Backoff

__all__ = ["TaskRegistry", "default_registry", "task"]

F = TypeVar("F", bound=Callable[..., Any])


class TaskRegistry:
    """Tasks by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskDefinition] = {}

    def __iter__(self) -> Iterator[TaskDefinition]:
        return iter(list(self._tasks.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tasks."""
        return tuple(self._tasks)

    def add(self, definition: TaskDefinition) -> None:
        """Take a task in; the same function again, as after a reload of its module, replaces itself.

        Raises:
            TaskNameTakenError: Another function has the name.
        """
        known = self._tasks.get(definition.name)
        if known is not None and known.origin != definition.origin:
            raise TaskNameTakenError(definition.name, known.origin, definition.origin)
        self._tasks[definition.name] = definition

    def remove(self, name: str) -> None:
        """Forget a task; do nothing if there is none of this name."""
        self._tasks.pop(name, None)

    def get(self, task: "str | Callable[..., Any]") -> TaskDefinition:
        """The task of this name, or of this function.

        Raises:
            UnknownTaskError: There is none.
        """
        name = task if isinstance(task, str) else getattr(task, "__task__", None)
        found = self._tasks.get(name) if isinstance(name, str) else None
        if found is None:
            raise UnknownTaskError(str(name or getattr(task, "__qualname__", task)), self._tasks)
        return found

    @overload
    def task(self, name: F) -> F: ...

    @overload
    def task(
        self,
        name: str | None = None,
        *,
        timeout: float | None = None,
        max_attempts: int | None = None,
        backoff: Backoff | None = None,
        retry_on: tuple[type[Exception], ...] = (Exception,),
        priority: int = 0,
        cron: str | None = None,
        cron_zone: str = "UTC",
    ) -> Callable[[F], F]: ...

    def task(self, name: Any = None, **options: Any) -> Any:
        """Make the decorated function a task, and leave the function as it is.

        ::

            @task("reports.build", max_attempts=3, timeout=60)
            @inject
            async def build_report(context: TaskContext, month: str, storage: Storage) -> dict[str, int]: ...


            run = await tasks.submit(user.id, build_report, {"month": "2026-11"})

        Args:
            name: What it is called, in every process and release; None: module and function.
            **options: See :class:`~bedplate.services.task.definition.TaskOptions`.

        Raises:
            TaskDefinitionError: The function cannot be a task.
            TaskScheduleError: The cron expression never fires.
            TaskNameTakenError: Another function has the name.
        """
        if callable(name):
            return self.task()(name)

        def register(function: F) -> F:
            if not inspect.isfunction(function):
                raise TaskDefinitionError(repr(function), "it is no function", fix="decorate a function")
            chosen = name or f"{function.__module__}.{function.__qualname__}"
            self.add(TaskDefinition(chosen, function, TaskOptions(**options)))
            function.__task__ = chosen  # type: ignore[attr-defined]  # how submit() finds the task of a function
            return function

        return register


default_registry = TaskRegistry()
"""The tasks of all modules that have been imported."""

task = default_registry.task
"""Makes a function a task; see :meth:`TaskRegistry.task`."""
