"""TASK-3: `bedplate worker` over Celery: real processes that fork, execute, die and drain, on two brokers."""

import asyncio
import os
import re
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from tests.servers.certificate import self_signed
from tests.servers.rabbitmq import rabbitmq
from tests.servers.relay import Relay
from tests.servers.worker import worker

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.engines.trace_context import TraceContext, continuing
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskService, TaskStatus, default_registry
from bedplate.services.task.celery import CeleryBackend
from bedplate.services.task.celery_broker import BrokerSettingError
from bedplate.wiring.testing.database import copy_database
from bedplate.wiring.testing.servers.postgres import free_port
from bedplate.wiring.testing.task.harness import until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:(?s).*optional breaking change")]

_MODULE = """
import asyncio, os, pathlib
from bedplate.services.engines.trace_context import current_context
from bedplate.services.task import TaskContext, task
from bedplate.wiring import Database, inject

@task("tests.gate")
@inject
async def gate(context: TaskContext, name: str, database: Database) -> str:
    pathlib.Path(f"{name}.begun.{context.attempt}").write_text(str(os.getpid()))
    while not pathlib.Path(f"{name}.go").exists():
        await asyncio.sleep(0.01)
    trace = current_context()
    return f"{name} {context.attempt} {database.started} {trace.traceparent[:35] if trace else None}"

@task("tests.long")
def long(context: TaskContext, seconds: float) -> int:
    with pathlib.Path("long.calls").open("a") as calls:
        calls.write(f"{context.attempt}\\\\n")
    context.call(asyncio.sleep, seconds)
    return context.attempt
"""
_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module of tasks, and an environment with what every process here has in common."""
    for name in os.environ:
        if name.startswith("BEDPLATE_"):
            monkeypatch.delenv(name)
    (tmp_path / "celery_tasks.py").write_text(_MODULE.replace("\\\\n", "\\n"))
    settings = {
        "PYTHONPATH": str(tmp_path),
        "BEDPLATE_PROFILE": "test",
        "BEDPLATE_DATA_DIR": str(tmp_path / "data"),
        "BEDPLATE_TASK__BACKEND": "celery",
        "BEDPLATE_TASK__MODULES": "celery_tasks",
        "BEDPLATE_TASK__WORKER_PROCESSES": "2",
        "BEDPLATE_TASK__SCHEDULES": "false",
        "BEDPLATE_TASK__LEASE_TTL": "2",
        "BEDPLATE_TASK__POLL_INTERVAL": "0.05",
        "BEDPLATE_TASK__DRAIN_TIMEOUT": "60",
        "BEDPLATE_TASK__STOP_TIMEOUT": "90",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@asynccontextmanager
async def _submitting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TaskService]:
    """The task service of a process that submits, and is given the same settings as the workers."""
    monkeypatch.syspath_prepend(folder)
    __import__("celery_tasks")
    container = ApplicationContainer(settings=Singleton(SettingsService))
    try:
        async with container.running("task"):
            yield container.task()
    finally:
        sys.modules.pop("celery_tasks")
        for name in ("tests.gate", "tests.long"):
            default_registry.remove(name)


async def _begun(name: str, attempt: int) -> int:
    """Wait until an attempt of a task of this name has begun; the process that executes it."""
    path = Path(f"{name}.begun.{attempt}")
    return int(await until(lambda: path.exists() and path.read_text()))


def _let(name: str) -> None:
    """Let the task of this name end."""
    Path(f"{name}.go").touch()


def _calls() -> str:
    """The attempts at the long task."""
    return Path("long.calls").read_text()


def _pushed(url: str) -> int:
    """How many messages were put into queues, again or for the first time."""
    with redis.Redis.from_url(url) as client:
        stats = client.info("commandstats")
    return sum(int(stats[name]["calls"]) for name in ("cmdstat_lpush", "cmdstat_rpush") if name in stats)


async def test_worker_forks_executes_dies_and_drains(
    folder: Path, migrated_postgres: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TASK-3: on Valkey and PostgreSQL: children with services of their own; a long task once; kill -9; SIGTERM."""
    monkeypatch.setenv("BEDPLATE_DATABASE__BACKEND", "postgres")
    monkeypatch.setenv("BEDPLATE_DATABASE__URL", migrated_postgres)
    monkeypatch.setenv("BEDPLATE_TASK__BROKER_URL", valkey_url)
    monkeypatch.setenv("BEDPLATE_TASK__BROKER_VISIBILITY_TIMEOUT", "2")
    with worker() as process:
        await asyncio.to_thread(process.ready)
        assert re.search(r"^task +celery +environment", process.printed, re.MULTILINE)
        async with _submitting(folder, monkeypatch) as tasks:
            await _long_task_runs_once(tasks, valkey_url)
            await _task_of_a_killed_child_runs_again(tasks, process.process.pid)
            leaving, staying = [
                await tasks.submit(None, "tests.gate", {"name": name}) for name in ("leaving", "staying")
            ]
            await _begun("leaving", 1)
            await _begun("staying", 1)
            end = asyncio.create_task(asyncio.to_thread(process.end, signal.SIGTERM))
            _let("leaving")
            assert str(await tasks.result(None, leaving.id)).startswith("leaving 1")
            process.process.send_signal(signal.SIGTERM)  # a second one: what is left is not waited for
            code, err = await end
            assert (code, "Traceback" in err.partition("WorkerLostError")[0]) == (0, False)
            given_back = await tasks.get(None, staying.id)
            assert (given_back.status, given_back.failures, given_back.attempt) == (TaskStatus.QUEUED, 0, 1)


async def _long_task_runs_once(tasks: TaskService, broker: str) -> None:
    before = _pushed(broker)
    run = await tasks.submit(None, "tests.long", {"seconds": 5.0})
    assert await tasks.result(None, run.id) == 1
    assert _calls() == "1\n"
    assert _pushed(broker) - before >= 2, "the broker handed it out once: the test shows nothing"


async def _task_of_a_killed_child_runs_again(tasks: TaskService, parent: int) -> None:
    with continuing(TraceContext.parse(_TRACE)):
        run = await tasks.submit(None, "tests.gate", {"name": "killed"})
    child = await _begun("killed", 1)
    assert child != parent
    os.kill(child, signal.SIGKILL)
    assert await _begun("killed", 2) not in (child, parent)
    _let("killed")
    assert await tasks.result(None, run.id) == f"killed 2 True {_TRACE[:35]}"
    assert (await tasks.get(None, run.id)).failures == 0


async def test_worker_on_rabbitmq(
    folder: Path, tmp_path: Path, migrated_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TASK-3: the other broker; what a killed worker executed is finished by another, cancelled by anyone."""
    copy_database(migrated_database, folder / "data")
    (tmp_path / "rabbitmq").mkdir()
    with rabbitmq(tmp_path / "rabbitmq") as url:
        for wrong, said in (("guest:wrong@", "refuses the user or the password"), ("guest:guest@", "no such virtual")):
            broken = url.replace("guest:guest@", wrong) + ("" if "wrong" in wrong else "none")
            settings = SettingsService(task={"broker_url": broken})
            with pytest.raises(BrokerSettingError, match=said):
                await asyncio.to_thread(CeleryBackend.from_settings(settings).call)
        await _speaks_tls(url, tmp_path)
        monkeypatch.setenv("BEDPLATE_TASK__BROKER_URL", url)
        async with _submitting(folder, monkeypatch) as tasks:
            with worker() as victim:
                run = await tasks.submit(None, "tests.gate", {"name": "a"})
                child = await _begun("a", 1)
                assert child != victim.process.pid
                victim.process.kill()
            with worker() as rescuer:
                await _begun("a", 2)
                _let("a")
                assert str(await tasks.result(None, run.id)).startswith("a 2 True")
                cancelled = await tasks.submit(None, "tests.gate", {"name": "b"})
                await _begun("b", 1)
                assert (await tasks.cancel(None, cancelled.id)).status is TaskStatus.CANCELLED
                assert (await tasks.health()).status == "up"
                code, _err = await asyncio.to_thread(rescuer.end, signal.SIGTERM)
                assert code == 0


async def _speaks_tls(url: str, folder: Path) -> None:
    certificate, key = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with Relay(urlsplit(url).port or 0, context) as relay:
        task = {"broker_url": f"amqps://guest:guest@127.0.0.1:{relay.port}//"}
        with pytest.raises(BrokerSettingError, match="certificate of the broker is not trusted"):
            await asyncio.to_thread(CeleryBackend.from_settings(SettingsService(task=task)).call)
        task["broker_ca_file"] = str(certificate)
        await asyncio.to_thread(CeleryBackend.from_settings(SettingsService(task=task)).call)


async def test_worker_whose_services_do_not_start_says_why_once(
    folder: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TASK-3: and ends, with what is wrong on standard error."""
    monkeypatch.setenv("BEDPLATE_DATABASE__BACKEND", "postgres")
    monkeypatch.setenv("BEDPLATE_DATABASE__URL", f"postgresql://ada:secret@127.0.0.1:{free_port()}/none")
    monkeypatch.setenv("BEDPLATE_TASK__BROKER_URL", valkey_url)
    with worker() as process:
        out, err = await asyncio.to_thread(process.process.communicate)
        assert process.process.returncode in (1, 2)
    assert "ready" not in out
    assert err.count("Error: database") == 1, err
    assert "secret" not in err
