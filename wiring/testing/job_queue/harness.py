"""What the suite needs of the backend that it is run against."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import pytest

from bedplate.services.job_queue import Job, JobEvent, JobLog, JobQueueService
from bedplate.wiring.testing.suite import Suite

__all__ = ["JobQueueFixtures", "JobQueueHarness", "ReadAll", "Work"]

ReadAll = Callable[..., Coroutine[Any, Any, list[JobEvent]]]
"""Reads the events of a job to its end: ``await read_all(queue, job, after)``."""


class JobQueueHarness(Protocol):
    """How the suite comes by job queues and users."""

    async def queue(self, **settings: Any) -> JobQueueService:
        """A started queue with these settings of its group, as of a process of its own.

        All of them see the same jobs. What the suite waits for is quick: short intervals of commits and looks.
        """
        ...

    async def user(self) -> uuid.UUID:
        """A new user."""
        ...


class Work:
    """Work that goes on when the test says so.

    Attributes:
        begun: It runs.
        cancelled: It was cancelled.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False
        self._log: JobLog | None = None
        self._go = asyncio.Event()

    async def __call__(self, log: JobLog) -> None:
        self._log = log
        self.begun.set()
        try:
            await self._go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    @property
    def log(self) -> JobLog:
        """Its log, once it runs."""
        assert self._log is not None
        return self._log

    def finish(self) -> None:
        """Let it return."""
        self._go.set()


class JobQueueFixtures(Suite):
    """A queue, two users, work, and a reader."""

    @pytest.fixture
    async def queue(self, harness: JobQueueHarness) -> JobQueueService:
        """A queue with the settings of the harness."""
        return await harness.queue()

    @pytest.fixture
    async def user(self, harness: JobQueueHarness) -> uuid.UUID:
        """A user."""
        return await harness.user()

    @pytest.fixture
    async def other(self, harness: JobQueueHarness) -> uuid.UUID:
        """Another user."""
        return await harness.user()

    @pytest.fixture
    async def work(self) -> Work:
        """Work for one job."""
        return Work()

    @pytest.fixture
    def make_work(self) -> type[Work]:
        """Makes work for several jobs."""
        return Work

    @pytest.fixture
    def read_all(self) -> ReadAll:
        """Reads logs."""

        async def read(queue: JobQueueService, job: Job, after: int = 0) -> list[JobEvent]:
            return [event async for event in queue.events(job.user_id, job.id, after=after)]

        return read
