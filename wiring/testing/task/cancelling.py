"""How a run is ended before its time."""

import asyncio
import contextlib
import threading
import uuid

from bedplate.services.task import Backoff, TaskContext, TaskRegistry, TaskStatus
from bedplate.wiring.testing.task.harness import Function, Node, TaskFixtures, TaskHarness

__all__ = ["Cancelling"]


class Cancelling(TaskFixtures):
    """Cancelling is cooperative, confirmed, and bounded."""

    async def test_waiting_run_is_cancelled_at_once(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        run = await node.tasks.submit(user, "waiting", delay=3600)
        assert run.status is TaskStatus.QUEUED
        assert (await node.tasks.cancel(user, run.id)).status is TaskStatus.CANCELLED
        assert waiting.calls == 0

    async def test_running_coroutine_is_cancelled(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-1: the answer comes when it has ended."""
        run = await node.tasks.submit(user, "waiting", max_attempts=5)
        await waiting.begun.wait()
        cancelled = await node.tasks.cancel(user, run.id)
        assert (cancelled.status, waiting.cancelled, waiting.calls) == (TaskStatus.CANCELLED, 1, 1)
        assert cancelled.finished_at is not None

    async def test_plain_function_is_told_by_its_context(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry
    ) -> None:
        begun, seen = asyncio.Event(), threading.Event()

        async def note() -> None:
            begun.set()

        @registry.task("plain")
        def plain(context: TaskContext) -> None:
            context.call(note)
            while not context.cancelled:
                seen.wait(0.001)
            seen.set()
            context.raise_if_cancelled()

        run = await node.tasks.submit(user, plain)
        await begun.wait()
        assert (await node.tasks.cancel(user, run.id)).status is TaskStatus.CANCELLED
        assert seen.is_set()

    async def test_task_that_ignores_cancellation_is_given_up(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        """TASK-1: the cancel is answered in time, and the slot is free again."""
        begun, go = asyncio.Event(), asyncio.Event()

        @registry.task("stubborn")
        async def stubborn() -> None:
            begun.set()
            while not go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await go.wait()

        @registry.task("next")
        async def following() -> str:
            return "on"

        node = await harness.node(registry, concurrency=1, cancel_timeout=0.05)
        run = await node.tasks.submit(user, stubborn)
        await begun.wait()
        assert (await node.tasks.cancel(user, run.id)).status is TaskStatus.CANCELLED
        assert await node.tasks.result(user, (await node.tasks.submit(user, following)).id) == "on"
        go.set()

    async def test_plain_function_that_ignores_cancellation_keeps_its_thread_alone(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        go, begun = threading.Event(), asyncio.Event()

        async def note() -> None:
            begun.set()

        @registry.task("stubborn")
        def stubborn(context: TaskContext) -> None:
            context.call(note)
            go.wait(30)

        @registry.task("next")
        def following() -> str:
            return "on"

        node = await harness.node(registry, threads=2, cancel_timeout=0.05)
        run = await node.tasks.submit(user, stubborn)
        await begun.wait()
        assert (await node.tasks.cancel(user, run.id)).status is TaskStatus.CANCELLED
        assert await node.tasks.result(user, (await node.tasks.submit(user, following)).id) == "on"
        go.set()

    async def test_run_of_another_process_is_cancelled(
        self, harness: TaskHarness, registry: TaskRegistry, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-1: from any process, and confirmed."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begun.wait()
        elsewhere = await harness.node(registry, execute=False)
        assert (await elsewhere.tasks.cancel(user, run.id)).status is TaskStatus.CANCELLED
        assert waiting.cancelled == 1

    async def test_run_that_waits_for_another_try_is_cancelled(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry
    ) -> None:
        failed = asyncio.Event()

        @registry.task("failing", max_attempts=2, backoff=Backoff(first=3600.0))
        async def failing() -> None:
            failed.set()
            raise OSError

        run = await node.tasks.submit(user, failing)
        await failed.wait()
        assert (await node.tasks.cancel(user, run.id)).status is TaskStatus.CANCELLED

    async def test_what_has_finished_stays_as_it_is(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        waiting.finish()
        run = await node.tasks.submit(user, "waiting")
        await node.tasks.wait(user, run.id)
        assert (await node.tasks.cancel(user, run.id)).status is TaskStatus.SUCCEEDED

    async def test_cancel_at_any_moment_ends_it_once(self, node: Node, user: uuid.UUID, registry: TaskRegistry) -> None:
        """TASK-1: never raises into the caller, and never leaves a run that nobody runs."""

        @registry.task("quick")
        async def quick(steps: int) -> int:
            for _ in range(steps):
                await asyncio.sleep(0)
            return steps

        runs = [await node.tasks.submit(user, quick, {"steps": steps}) for steps in range(8)]
        ended = await asyncio.gather(*(node.tasks.cancel(user, run.id) for run in runs))
        assert {run.status for run in ended} <= {TaskStatus.SUCCEEDED, TaskStatus.CANCELLED}
        assert [await node.tasks.get(user, run.id) for run in runs] == ended
