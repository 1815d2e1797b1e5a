"""Tasks of an application: modules named by a setting, injection that is checked at the start."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.containers.errors import UnknownServiceError
from bedplate.services.settings import SettingsService
from bedplate.services.task import default_registry
from bedplate.wiring.deps import get_task_service
from bedplate.wiring.lifespan import initialize_services, teardown_services
from bedplate.wiring.tasks import TaskModuleError
from bedplate.wiring.testing.database import copy_database

_GOOD = """
from bedplate.services.task import TaskContext, task
from bedplate.wiring import Database, Settings, inject

@task("tests.asynchronous")
@inject
async def asynchronous(context: TaskContext, number: int, database: Database) -> list:
    return [number, database.started, context.attempt]

@task("tests.plain")
@inject
def plain(number: int, settings: Settings) -> list:
    return [number, settings.values.profile]
"""
_BAD = """
from typing import Annotated
from bedplate.containers import Provide
from bedplate.services.task import task
from bedplate.wiring import inject

@task("tests.bad")
@inject
async def bad(oven: Annotated[object, Provide["oven"]]) -> None: ...
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], str]]:
    """Writes a module that can be imported."""
    before = set(default_registry.names)
    made: list[str] = []

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        made.append(name)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in made:
        sys.modules.pop(name, None)
    for name in set(default_registry.names) - before:
        default_registry.remove(name)


@pytest.fixture
def new_container(tmp_path: Path, migrated_database: Path) -> Callable[..., ApplicationContainer]:
    def make(*modules: str) -> ApplicationContainer:
        copy_database(migrated_database, tmp_path / "data")
        values = {"profile": "test", "data_dir": tmp_path / "data", "task": {"modules": modules}}
        return ApplicationContainer(settings=Singleton(SettingsService, **values))

    return make


async def test_injection_works_in_tasks_of_modules_that_a_setting_names(
    module: Callable[[str, str], str], new_container: Callable[..., ApplicationContainer]
) -> None:
    """TASK-1: in coroutines and in plain functions, as everywhere else."""
    container = new_container(module("tasks_of_an_app", _GOOD))
    await initialize_services(container)
    try:
        tasks = get_task_service()
        run = await tasks.submit(None, "tests.asynchronous", {"number": 5})
        assert await tasks.result(None, run.id) == [5, True, 1]
        run = await tasks.submit(None, "tests.plain", {"number": 6})
        assert await tasks.result(None, run.id) == [6, "test"]
    finally:
        await teardown_services()
        container.unwire()


async def test_injected_parameter_that_nothing_fills_stops_the_start(
    module: Callable[[str, str], str], new_container: Callable[..., ApplicationContainer]
) -> None:
    """TASK-1: wired strictly; the error names module, function and parameter."""
    container = new_container(module("bad_tasks_of_an_app", _BAD))
    with pytest.raises(UnknownServiceError, match=r"bad_tasks_of_an_app\.bad\(\): parameter 'oven'"):
        await initialize_services(container)
    assert not container.started


@pytest.mark.parametrize("text", [None, "import nothing_of_this_name", "1 / 0", "def"])
async def test_module_that_cannot_be_imported_stops_the_start(
    module: Callable[[str, str], str], new_container: Callable[..., ApplicationContainer], text: str | None
) -> None:
    name = "no_such_tasks" if text is None else module("broken_tasks_of_an_app", text)
    container = new_container(name)
    with pytest.raises(TaskModuleError, match=f"'{name}'.*BEDPLATE_TASK__MODULES"):
        await initialize_services(container)
    assert not container.started
