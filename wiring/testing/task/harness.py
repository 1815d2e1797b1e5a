"""What the suite needs of the backend that it is run against."""

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.task import TaskContext, TaskRegistry, TaskService, TaskWorker
from bedplate.wiring.testing.suite import Suite

__all__ = ["Function", "Node", "TaskFixtures", "TaskHarness", "until"]


class Node:
    """What one process of an application has.

    Attributes:
        tasks: Submits, looks, cancels.
        worker: Executes; None where the process only submits.
        database: The database of all of them.
    """

    def __init__(self, tasks: TaskService, worker: TaskWorker | None, database: DatabaseService) -> None:
        self.tasks = tasks
        self.worker = worker
        self.database = database

    async def beat(self) -> None:
        """Have the worker renew its lease and take over what dead processes left, now."""
        assert self.worker is not None
        await self.worker.beat()


class TaskHarness(Protocol):
    """How the suite comes by processes and users."""

    async def node(self, registry: TaskRegistry, *, execute: bool = True, **settings: Any) -> Node:
        """A started process with these settings of its group; all of them share one database.

        What the suite waits for is quick: short intervals of looks and reports.
        """
        ...

    async def lapse(self, node: Node) -> None:
        """Let the lease of a process expire, as if it had hung: it renews nothing, and goes on with what it runs."""
        ...

    async def user(self) -> uuid.UUID:
        """A new user."""
        ...


async def until(condition: Callable[[], Awaitable[Any] | Any]) -> Any:
    """Wait until the condition holds, a function or coroutine function of what no event tells; what it gave."""
    while True:
        held = condition()
        if held := await held if inspect.isawaitable(held) else held:
            return held
        await asyncio.sleep(0.002)


class Function:
    """A coroutine function that goes on when the test says so, as a task.

    Attributes:
        begun: It was called.
        calls: How often it was called.
        cancelled: How often it was cancelled.
        contexts: The context of each call.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.calls = 0
        self.cancelled = 0
        self.contexts: list[TaskContext] = []
        self._go: dict[int, asyncio.Event] = {}
        self._all = False

    async def run(self, context: TaskContext) -> int:
        """Count the call, wait until told to go on, and return the number of the call."""
        self.calls += 1
        call = self.calls
        self.contexts.append(context)
        go = self._go[call] = asyncio.Event()
        if self._all:
            go.set()
        self.begun.set()
        try:
            await go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return call

    async def begins(self) -> None:
        """Wait for the next call."""
        await self.begun.wait()
        self.begun.clear()

    def finish(self, call: int | None = None) -> None:
        """Let a call return; None: every call, now and later."""
        if call is not None:
            self._go[call].set()
            return
        self._all = True
        for go in self._go.values():
            go.set()


class TaskFixtures(Suite):
    """A registry, a process, two users, a function that waits; and what a backend can do.

    A part of the suite that asks for more than the backend can is skipped, by name.

    Attributes:
        prioritises: Whether the more important of the runs that wait go first.
        begins_at_once: Whether a submit in a process that has a free slot is begun there, without being looked for.
    """

    prioritises: ClassVar[bool] = True
    begins_at_once: ClassVar[bool] = True

    @pytest.fixture
    def registry(self) -> TaskRegistry:
        """The tasks of the test."""
        return TaskRegistry()

    @pytest.fixture
    async def node(self, harness: TaskHarness, registry: TaskRegistry) -> Node:
        """A process that executes."""
        return await harness.node(registry)

    @pytest.fixture
    async def user(self, harness: TaskHarness) -> uuid.UUID:
        """A user."""
        return await harness.user()

    @pytest.fixture
    async def other(self, harness: TaskHarness) -> uuid.UUID:
        """Another user."""
        return await harness.user()

    @pytest.fixture
    async def waiting(self, registry: TaskRegistry) -> Function:
        """The function of the task ``waiting``."""
        function = Function()

        async def wait(context: TaskContext) -> int:
            return await function.run(context)

        registry.task("waiting")(wait)
        return function
