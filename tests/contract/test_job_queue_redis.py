"""JOB-4: the suite of the job queue on streams of a real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.test_job_queue import Harness

from bedplate.services.database import DatabaseService
from bedplate.services.engines.redis import RedisEngine
from bedplate.wiring.testing.job_queue import JobQueueConformance
from bedplate.wiring.testing.job_queue.elsewhere import Elsewhere
from bedplate.wiring.testing.job_queue.machine import Machine
from bedplate.wiring.testing.job_queue.polls import Polls


class _OnRedis:
    cancels_elsewhere = True
    polls_elsewhere = True

    @pytest.fixture
    async def harness(
        self, tmp_path: Path, database: DatabaseService, redis_engine: RedisEngine
    ) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, database, redis_engine)
        yield harness
        await harness.close()


@pytest.mark.xdist_group("valkey")
class TestRedis(_OnRedis, JobQueueConformance):
    """JOB-4 with the archive in a file."""


@pytest.mark.postgres
@pytest.mark.xdist_group("valkey")
class TestRedisOnPostgres(_OnRedis, Polls, Elsewhere, Machine):
    """JOB-4 with the archive in PostgreSQL."""

    backend = "redis (PostgreSQL)"
