"""TASK-1 and TASK-2: the backends of the task service, one suite for all."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, new_id, utc_now
from bedplate.services.database.repositories.instance import InstanceRepository
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.task import TaskBackend, TaskRegistry, TaskService, TaskWorker
from bedplate.services.task.anyio_backend import AnyIOBackend
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.task import Node, TaskConformance


class Harness:
    """Processes over one database, each with a lease of its own."""

    def __init__(self, folder: Path, database: DatabaseService, workers: Workers) -> None:
        self._folder = folder
        self._database = database
        self._workers = workers
        self._made: list[Node] = []

    def values(self, **values: Any) -> dict[str, Any]:
        """The settings of a process, with these in place of what is usual here."""
        return {
            "poll_interval": 0.01,
            "progress_interval": 0.0,
            "cancel_timeout": 1.0,
            "drain_timeout": 0.0,
            **values,
        }

    def backend(self, settings: SettingsService) -> TaskBackend:
        """The backend of a process."""
        return AnyIOBackend(0.01)

    async def started(self, settings: SettingsService, backend: Any) -> None:
        """Do what is to be done when the services of a process have started."""

    async def node(self, registry: TaskRegistry, *, execute: bool = True, **values: Any) -> Node:
        task = self.values(execute=execute, **values)
        settings = SettingsService(profile="test", data_dir=self._folder, task=task)
        redactor = Redactor(settings)
        telemetry = TelemetryService(settings, redactor)
        backend = self.backend(settings)
        tasks = TaskService(settings, telemetry, self._database, backend, registry)
        workers = Workers()
        worker = TaskWorker(settings, telemetry, self._database, redactor, workers, tasks)
        node = Node(tasks, worker, self._database)
        self._made.append(node)
        for service in (tasks, workers, worker):
            await service.start()
        await self.started(settings, backend)
        return node

    async def lapse(self, node: Node) -> None:
        assert node.worker is not None
        assert node.worker._loops is not None
        node.worker._loops.cancel()
        async with self._database.transaction() as session:
            yesterday = utc_now() - timedelta(days=1)
            await InstanceRepository(session).renew_lease(node.worker._lease.instance_id, yesterday)

    async def user(self) -> uuid.UUID:
        name = str(new_id())
        row = UserRow(username=name, username_key=name, password_hash="-", is_active=True)
        async with self._database.transaction() as session:
            session.add(row)
        return row.id

    async def close(self) -> None:
        for node in self._made:
            assert node.worker is not None
            await node.worker.stop()
            await node.tasks.stop()
            await node.worker._workers.stop()


class TestAnyIO(TaskConformance):
    """TASK-1 and TASK-2 for the backend ``anyio``."""

    @pytest.fixture
    async def harness(self, tmp_path: Path, database: DatabaseService, workers: Workers) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, database, workers)
        yield harness
        await harness.close()


@pytest.mark.postgres
@pytest.mark.serial
@pytest.mark.slow
class TestAnyIOOnPostgres(TestAnyIO):
    """TASK-1 and TASK-2: the same over PostgreSQL, serially: a lease of a second does not outlive a busy machine."""

    backend = "anyio (PostgreSQL)"
