"""A task service with a worker that looks often, users, and a database that fails on demand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskRegistry, TaskService, TaskWorker
from bedplate.services.task.anyio_backend import AnyIOBackend
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.task import Node

NewNode = Callable[..., Awaitable[Node]]


@pytest.fixture
def registry() -> TaskRegistry:
    return TaskRegistry()


@pytest.fixture
async def new_node(
    settings: SettingsService,
    telemetry: TelemetryService,
    redactor: Redactor,
    database: DatabaseService,
    registry: TaskRegistry,
) -> AsyncIterator[NewNode]:
    made: list[tuple[Node, Workers]] = []

    async def make(**values: Any) -> Node:
        quick = {
            "poll_interval": 0.01,
            "progress_interval": 0.0,
            "cancel_timeout": 1.0,
            "drain_timeout": 0.0,
        }
        own = SettingsService(profile="test", data_dir=settings.values.data_dir, task=quick | values)
        tasks = TaskService(own, telemetry, database, AnyIOBackend(0.01), registry)
        workers = Workers()
        worker = TaskWorker(own, telemetry, database, redactor, workers, tasks)
        made.append((Node(tasks, worker, database), workers))
        for service in (tasks, workers, worker):
            await service.start()
        return made[-1][0]

    yield make
    for node, workers in made:
        assert node.worker is not None
        await node.worker.stop()
        await workers.stop()
        await node.tasks.stop()


@pytest.fixture
async def node(new_node: NewNode) -> Node:
    return await new_node()


class Outage:
    """Makes every write to a database fail while it lasts."""

    def __init__(self) -> None:
        self.on = False
        self.failed = asyncio.Event()

    def around(self, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def write(*what: Any, **how: Any) -> Any:
            if self.on:
                self.failed.set()
                raise OSError("the disk is gone")
            return await real(*what, **how)

        return write


@pytest.fixture
def outage(database: DatabaseService, monkeypatch: pytest.MonkeyPatch) -> Outage:
    broken = Outage()
    for way in ("write", "transact"):
        monkeypatch.setattr(database._backend, way, broken.around(getattr(database._backend, way)))
    return broken
