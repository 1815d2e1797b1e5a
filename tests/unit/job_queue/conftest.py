"""A job queue that commits and renews fast, users to own jobs, and a way to make the database fail."""

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.engines.redactor import Redactor
from bedplate.services.job_queue import Job, JobEvent, JobQueueService
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.job_queue import Work

NewQueue = Callable[..., Awaitable[JobQueueService]]


@pytest.fixture
async def user(database: DatabaseService) -> uuid.UUID:
    return await add_user(database, "ann")


@pytest.fixture
async def other(database: DatabaseService) -> uuid.UUID:
    return await add_user(database, "bob")


async def add_user(database: DatabaseService, name: str) -> uuid.UUID:
    row = UserRow(username=name, username_key=name, password_hash="-", is_active=True)
    async with database.transaction() as session:
        session.add(row)
    return row.id


@pytest.fixture
async def new_queue(
    settings: SettingsService, redactor: Redactor, database: DatabaseService
) -> AsyncIterator[NewQueue]:
    """Starts job queues of this database with settings of their own, and stops them at the end."""
    started: list[JobQueueService] = []

    async def make(**values: Any) -> JobQueueService:
        own = SettingsService(
            data_dir=settings.values.data_dir,
            secret_key="a-secret-key-of-the-tests-0123456789abcdef",
            job_queue={"commit_interval": 0.01, "follow_interval": 0.01, "cancel_timeout": 0.5, **values},
        )
        queue = JobQueueService(own, TelemetryService(own, redactor), database)
        await queue.start()
        started.append(queue)
        return queue

    yield make
    for queue in started:
        await queue.stop()


@pytest.fixture
async def queue(new_queue: NewQueue) -> JobQueueService:
    return await new_queue()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def make_work() -> Callable[[], Work]:
    return Work


@pytest.fixture
def read_all() -> Callable[..., Awaitable[list[JobEvent]]]:
    async def read(queue: JobQueueService, job: Job, after: int = 0) -> list[JobEvent]:
        return [event async for event in queue.events(job.user_id, job.id, after=after)]

    return read


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Awaitable[None]]:
    async def wait(condition: Callable[[], Any]) -> None:
        """Return when the condition, a function or coroutine function, holds."""
        while True:
            held = condition()
            if await held if inspect.isawaitable(held) else held:
                return
            await asyncio.sleep(0.002)

    return wait


class Outage:
    """Makes transactions of a database fail while it lasts; or loses only the answers to what was committed."""

    def __init__(self, database: DatabaseService) -> None:
        self.on = self.mute = False
        self.failed = asyncio.Event()
        self._real = database.transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        if self.on:
            self.failed.set()
            raise OSError("the disk is gone")
        async with self._real() as session:
            yield session
        if self.mute:
            self.failed.set()
            raise OSError("the answer was lost")


@pytest.fixture
def outage(database: DatabaseService, monkeypatch: pytest.MonkeyPatch) -> Outage:
    broken = Outage(database)
    monkeypatch.setattr(database, "transaction", broken.transaction)
    return broken
