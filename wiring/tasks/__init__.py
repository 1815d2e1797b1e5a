"""Tasks that use the services: the modules that register them, imported and wired before a start."""

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

from bedplate.containers import ContainerInstance
from bedplate.services.errors import ConfigurationError

__all__ = ["BUILT_IN", "TaskModuleError", "import_tasks", "wire_tasks"]

BUILT_IN = ("bedplate.wiring.tasks.flows", "bedplate.wiring.tasks.maintenance")
"""Modules with Bedplate's own tasks."""


class TaskModuleError(ConfigurationError):
    """A module of tasks that a setting names cannot be imported."""

    code = "task_module"


def wire_tasks(container: ContainerInstance) -> None:
    """Import the modules of tasks and wire them to a container that has a task service; do nothing for another.

    Raises:
        TaskModuleError: One cannot be imported.
        TaskDefinitionError: A function in one cannot be a task.
        UnknownServiceError: An injected parameter names a service that the container lacks.
    """
    if not {"task", "settings"} <= container.providers.keys():
        return
    container.wire(modules=import_tasks(container.get("settings").values.task.modules))


def import_tasks(names: Iterable[str]) -> list[ModuleType]:
    """Import the modules of tasks, Bedplate's own and these.

    Raises:
        TaskModuleError: One cannot be imported.
        TaskDefinitionError: A function in one cannot be a task.
    """
    return [*map(import_module, BUILT_IN), *map(_imported, names)]


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ConfigurationError:
        raise
    except Exception as error:
        raise TaskModuleError(
            f"the module {name!r} of tasks cannot be imported",
            service="task",
            why=f"{type(error).__name__}: {error}",
            fix="repair it, or correct BEDPLATE_TASK__MODULES",
        ) from error
