"""JOB-1 to JOB-3: the backend of the job queue, by the suite for all of them."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, new_id
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.job_queue import JobQueueService
from bedplate.services.job_queue.factory import build_job_queue
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.job_queue import JobQueueConformance


class Harness:
    """Job queues over one database, each with a lease of its own."""

    def __init__(self, folder: Path, database: DatabaseService, redis: RedisEngine | None = None) -> None:
        self._folder = folder
        self._database = database
        self._redis = redis
        self._made: list[JobQueueService] = []

    async def queue(self, **values: Any) -> JobQueueService:
        quick = {"commit_interval": 0.01, "follow_interval": 0.01, "cancel_timeout": 0.5}
        backend = {} if self._redis is None else {"backend": "redis"}
        settings = SettingsService(profile="test", data_dir=self._folder, job_queue=quick | backend | values)
        telemetry = TelemetryService(settings, Redactor(settings))
        engines = [] if (redis := self._redis) is None else [lambda: redis]
        service = build_job_queue(settings, telemetry, self._database, *engines)
        self._made.append(service)
        await service.start()
        return service

    async def user(self) -> uuid.UUID:
        name = str(new_id())
        row = UserRow(username=name, username_key=name, password_hash="-", is_active=True)
        async with self._database.transaction() as session:
            session.add(row)
        return row.id

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


class TestMemory(JobQueueConformance):
    @pytest.fixture
    async def harness(self, tmp_path: Path, database: DatabaseService) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, database)
        yield harness
        await harness.close()


@pytest.mark.postgres
class TestMemoryOnPostgres(TestMemory):
    """The same over PostgreSQL."""

    backend = "memory (PostgreSQL)"
