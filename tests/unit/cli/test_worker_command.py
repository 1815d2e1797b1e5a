"""``bedplate worker``: real processes that execute, die and drain."""

import asyncio
import re
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.servers.worker import Worker, worker

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskRun, TaskStatus, default_registry
from bedplate.wiring.testing.database import copy_database
from bedplate.wiring.testing.task.harness import until

_MODULE = """
import asyncio, pathlib
from bedplate.services.task import TaskContext, task
from bedplate.wiring import Database, inject

@task("tests.gate")
@inject
async def gate(context: TaskContext, name: str, database: Database) -> str:
    pathlib.Path(f"{name}.begun").write_text(str(context.attempt))
    while not pathlib.Path(f"{name}.go").exists():
        await asyncio.sleep(0.01)
    return f"{name} {context.attempt} {database.started}"
"""

Start = Callable[..., Worker]


@pytest.fixture
def start(folder: Path, monkeypatch: pytest.MonkeyPatch, migrated_database: Path) -> Iterator[Start]:
    copy_database(migrated_database, folder / "data")
    (folder / "gate_tasks.py").write_text(_MODULE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("BEDPLATE_TASK__MODULES", "gate_tasks")
    monkeypatch.setenv("BEDPLATE_TASK__LEASE_TTL", "0.6")
    monkeypatch.setenv("BEDPLATE_TASK__POLL_INTERVAL", "0.05")
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(worker(*args))


@pytest.fixture
def submitting(start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApplicationContainer]:
    """A container that submits and executes nothing, over the same database."""
    monkeypatch.syspath_prepend(folder)
    __import__("gate_tasks")
    values = {"profile": "test", "data_dir": folder / "data", "task": {"execute": False}}
    yield ApplicationContainer(settings=Singleton(SettingsService, **values))
    sys.modules.pop("gate_tasks")
    default_registry.remove("tests.gate")


async def _begun(name: str, attempt: int) -> None:
    path = Path(f"{name}.begun")
    await until(lambda: path.exists() and path.read_text() == str(attempt))


def _let(name: str) -> None:
    """Let the task of this name end."""
    Path(f"{name}.go").touch()


async def _submit(container: ApplicationContainer, name: str) -> TaskRun:
    return await container.task().submit(None, "tests.gate", {"name": name})


@pytest.mark.slow
async def test_task_of_a_killed_worker_is_finished_by_another(start: Start, submitting: ApplicationContainer) -> None:
    """TASK-2: kill -9 in the middle; a real process takes over when the lease has expired."""
    victim = start()
    await asyncio.to_thread(victim.ready)
    assert re.search(r"^task +anyio +default", victim.printed, re.MULTILINE)
    assert "tests.gate" in victim.printed
    async with submitting.running("task"):
        run = await _submit(submitting, "a")
        await _begun("a", 1)
        victim.process.kill()
        victim.process.wait()
        assert (await submitting.task().get(None, run.id)).status is TaskStatus.RUNNING
        rescuer = start()
        await _begun("a", 2)
        _let("a")
        assert await submitting.task().result(None, run.id) == "a 2 True"
    code, err = await asyncio.to_thread(rescuer.end, signal.SIGTERM)
    assert (code, "Traceback" in err) == (0, False)


@pytest.mark.slow
async def test_sigterm_lets_tasks_end_and_gives_back_the_rest(start: Start, submitting: ApplicationContainer) -> None:
    """TASK-2: within the deadline; what is given back is neither a failure nor a loss."""
    process = start("--concurrency", "2")
    await asyncio.to_thread(process.ready)
    async with submitting.running("task"):
        tasks = submitting.task()
        ending, staying = await _submit(submitting, "ending"), await _submit(submitting, "staying")
        await _begun("ending", 1)
        await _begun("staying", 1)
        leaving = asyncio.create_task(asyncio.to_thread(process.end, signal.SIGTERM))
        _let("ending")
        assert await tasks.result(None, ending.id) == "ending 1 True"
        process.process.send_signal(signal.SIGTERM)  # a second one: what is left is not waited for
        code, err = await leaving
        assert (code, "Traceback" in err) == (0, False)
        given_back = await tasks.get(None, staying.id)
        assert (given_back.status, given_back.failures, given_back.attempt) == (TaskStatus.QUEUED, 0, 1)


@pytest.mark.parametrize("setting", [("BEDPLATE_TASK__MODULES", "no_such_module"), ("BEDPLATE_TASK__THREADS", "0")])
def test_wrong_settings_end_it_before_it_starts(
    bedplate: Callable[..., "tuple[int, str, str]"], monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    code, _out, err = bedplate("worker")
    assert code == 2
    assert setting[0] in err or setting[1] in err


def test_commands_that_look_take_nothing_over(
    bedplate: Callable[..., "tuple[int, str, str]"], folder: Path, migrated_database: Path
) -> None:
    """TASK-2, JOB-3: `bedplate services` starts everything, and executes and recovers nothing."""
    copy_database(migrated_database, folder / "data")

    @default_registry.task("tests.looked_at")
    async def looked_at() -> None: ...

    container = ApplicationContainer(
        settings=Singleton(SettingsService, profile="test", data_dir=folder / "data", task={"execute": False})
    )

    async def submit() -> uuid.UUID:
        async with container.running("task"):
            return (await container.task().submit(None, "tests.looked_at")).id

    async def status(run_id: uuid.UUID) -> TaskStatus:
        async with container.running("task"):
            return (await container.task().get(None, run_id)).status

    try:
        run_id = asyncio.run(submit())
        code, out, _err = bedplate("services")
        assert code == 0
        assert "task_worker" in out
        assert asyncio.run(status(run_id)) is TaskStatus.QUEUED
    finally:
        default_registry.remove("tests.looked_at")
