"""What a task gets, gives, and tells while it runs."""

import asyncio
import threading
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from bedplate.services.errors import BedplateError
from bedplate.services.task import (
    Backoff,
    GiveUp,
    Progress,
    Retry,
    Snooze,
    TaskContext,
    TaskFailedError,
    TaskRegistry,
    TaskStatus,
)
from bedplate.wiring.testing.task.harness import Function, Node, TaskFixtures, TaskHarness, until

__all__ = ["Execution"]

_AT_ONCE = Backoff(first=0.0)
_PATIENCE = 30.0


class Execution(TaskFixtures):
    """Functions, their results, their failures."""

    async def test_submit_returns_before_the_task_ends(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-2: truly in the background."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begun.wait()
        assert (await node.tasks.get(user, run.id)).status is TaskStatus.RUNNING
        waiting.finish()
        done = await node.tasks.wait(user, run.id)
        assert (done.status, done.result, done.attempt) == (TaskStatus.SUCCEEDED, 1, 1)
        assert done.created_at <= done.started_at <= done.finished_at  # type: ignore[operator]  # it has finished

    async def test_free_slot_is_used_at_once(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-2: one write, and the task is begun."""
        self.require("begins_at_once")
        run = await node.tasks.submit(user, "waiting")
        assert (run.status, run.attempt) == (TaskStatus.RUNNING, 1)
        waiting.finish()
        assert await node.tasks.result(user, run.id) == 1

    async def test_arguments_come_as_the_signature_says(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry
    ) -> None:
        """TASK-1: typed, carried as JSON."""

        @registry.task("typed")
        async def typed(number: int, at: datetime, ids: set[uuid.UUID], note: str = "none") -> list[Any]:
            assert isinstance(at, datetime)
            assert all(isinstance(one, uuid.UUID) for one in ids)
            return [number + 1, at + timedelta(days=1), sorted(ids), note]

        at, one = datetime.fromisoformat("2026-11-28T12:00:00+00:00"), uuid.uuid4()
        run = await node.tasks.submit(user, typed, {"number": 1, "at": at, "ids": {one}})
        assert await node.tasks.result(user, run.id) == [2, "2026-11-29T12:00:00Z", [str(one)], "none"]

    async def test_plain_functions_run_in_threads(self, node: Node, user: uuid.UUID, registry: TaskRegistry) -> None:
        """TASK-1: the event loop goes on meanwhile, and is reached from the thread."""
        loop_thread, met = threading.get_ident(), asyncio.Event()

        async def meet() -> str:
            met.set()
            return "met"

        @registry.task("plain")
        def plain(context: TaskContext) -> list[Any]:
            return [threading.get_ident() != loop_thread, context.call(meet)]

        run = await node.tasks.submit(user, plain)
        await met.wait()
        assert await node.tasks.result(user, run.id) == [True, "met"]

    async def test_context_says_which_run_it_is(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        run = await node.tasks.submit(user, "waiting")
        await waiting.begun.wait()
        context = waiting.contexts[0]
        assert (context.run_id, context.user_id, context.name, context.attempt) == (run.id, user, "waiting", 1)
        waiting.finish()
        await node.tasks.wait(user, run.id)

    async def test_progress_is_seen_while_it_runs(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-1: and stays when the run has ended."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begun.wait()
        waiting.contexts[0].progress(0.25, "a quarter", rows=5)

        async def told() -> Progress | None:
            return (await node.tasks.get(user, run.id)).progress

        seen = await until(told)
        assert (seen.fraction, seen.message, seen.data) == (0.25, "a quarter", {"rows": 5})
        waiting.contexts[0].progress(7)
        waiting.finish()
        done = await node.tasks.wait(user, run.id)
        assert done.progress is not None
        assert done.progress.fraction == 1.0

    async def test_failure_is_kept_with_its_traceback(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry
    ) -> None:
        """TASK-1: the text of a foreign exception is for developers alone."""

        @registry.task("failing")
        async def failing() -> None:
            raise ValueError("of a library")

        run = await node.tasks.wait(user, (await node.tasks.submit(user, failing)).id)
        assert (run.status, run.error_code, run.error) == ("failed", "task_failed", "The task failed: ValueError.")
        assert "ValueError: of a library" in str(run.traceback)
        assert "in failing" in str(run.traceback)
        with pytest.raises(TaskFailedError) as caught:
            await node.tasks.result(user, run.id)
        assert (caught.value.reason, caught.value.run_id) == ("task_failed", run.id)

    async def test_error_of_ours_says_what_and_fix(self, node: Node, user: uuid.UUID, registry: TaskRegistry) -> None:
        @registry.task("ours")
        async def ours() -> None:
            raise BedplateError("no paper", fix="add some")

        run = await node.tasks.wait(user, (await node.tasks.submit(user, ours)).id)
        assert (run.error_code, run.error) == ("error", "no paper. Fix: add some")

    async def test_failed_task_is_tried_again(self, node: Node, user: uuid.UUID, registry: TaskRegistry) -> None:
        """TASK-1: until it succeeds, or its attempts are used up."""
        attempts: list[int] = []

        @registry.task("flaky", max_attempts=3, backoff=_AT_ONCE)
        async def flaky(context: TaskContext, good: int) -> str:
            attempts.append(context.attempt)
            if context.attempt < good:
                raise OSError("down")
            return "up"

        run = await node.tasks.submit(user, flaky, {"good": 3})
        assert await node.tasks.result(user, run.id) == "up"
        assert attempts == [1, 2, 3]
        dead = await node.tasks.wait(user, (await node.tasks.submit(user, flaky, {"good": 9})).id)
        assert (dead.status, dead.failures, dead.attempt) == (TaskStatus.FAILED, 3, 3)
        once = await node.tasks.wait(user, (await node.tasks.submit(user, flaky, {"good": 2}, max_attempts=1)).id)
        assert (once.status, once.failures) == (TaskStatus.FAILED, 1)

    async def test_function_says_when_and_whether_it_is_tried_again(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry
    ) -> None:
        """TASK-1: Retry is a failure, Snooze is none, GiveUp is the last."""

        @registry.task("asking", max_attempts=2, backoff=Backoff(first=3600.0, jitter=0.0))
        async def asking(context: TaskContext, how: str) -> int:
            if how == "retry" and context.attempt < 2:
                raise Retry(after=0)
            if how == "snooze" and context.attempt < 5:
                raise Snooze(timedelta(0))
            if how == "give up":
                raise GiveUp("there is no such page")
            return context.attempt

        async def ended(how: str) -> tuple[str, Any, int, str | None]:
            run = await node.tasks.wait(user, (await node.tasks.submit(user, asking, {"how": how})).id)
            return run.status, run.result, run.failures, run.error

        assert await ended("retry") == ("succeeded", 2, 1, None)
        assert await ended("snooze") == ("succeeded", 5, 0, None)
        assert await ended("give up") == ("failed", None, 1, "there is no such page")

    async def test_only_the_errors_named_are_tried_again(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry
    ) -> None:
        @registry.task("picky", max_attempts=5, backoff=_AT_ONCE, retry_on=(OSError,))
        async def picky(context: TaskContext) -> None:
            raise OSError if context.attempt < 2 else KeyError

        run = await node.tasks.wait(user, (await node.tasks.submit(user, picky)).id)
        assert (run.failures, run.error) == (2, "The task failed: KeyError.")

    async def test_task_that_takes_too_long_is_ended(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-1: a timeout is a failure like any other."""
        run = await node.tasks.wait(user, (await node.tasks.submit(user, "waiting", timeout=0.05, max_attempts=1)).id)
        assert (run.status, run.error_code) == (TaskStatus.FAILED, "task_timeout")
        assert run.error == "The task took longer than 0.05 seconds."
        assert waiting.cancelled == 1

    @pytest.mark.parametrize("value", [object(), {1, object()}, b"\xff".decode("latin1") + "\ud800", lambda: 1])
    async def test_result_that_is_no_data_is_a_failure(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry, value: object
    ) -> None:
        """TASK-1: and is not tried again, which would not help."""

        @registry.task("odd", max_attempts=5, backoff=_AT_ONCE)
        async def odd() -> object:
            return value

        run = await node.tasks.wait(user, (await node.tasks.submit(user, odd)).id)
        assert (run.status, run.error_code, run.attempt) == (TaskStatus.FAILED, "task_result", 1)

    async def test_result_that_is_too_large_is_a_failure(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        @registry.task("big")
        async def big() -> str:
            return "x" * 1_000

        node = await harness.node(registry, max_result_bytes=100)
        run = await node.tasks.wait(user, (await node.tasks.submit(user, big)).id)
        assert (run.status, run.error_code) == (TaskStatus.FAILED, "task_result")
        assert "BEDPLATE_TASK__MAX_RESULT_BYTES" in str(run.error)

    @pytest.mark.parametrize("leave", [SystemExit(3), asyncio.CancelledError()])
    async def test_function_that_leaves_oddly_fails_alone(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry, leave: BaseException
    ) -> None:
        """Neither the process nor another task ends with it."""

        @registry.task("leaving")
        async def leaving() -> None:
            raise leave

        @registry.task("staying")
        async def staying() -> str:
            return "here"

        run = await node.tasks.wait(user, (await node.tasks.submit(user, leaving)).id)
        assert run.status is TaskStatus.FAILED
        assert await node.tasks.result(user, (await node.tasks.submit(user, staying)).id) == "here"

    async def test_no_more_than_so_many_at_once(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        """TASK-2: what has no slot waits, in order."""
        running, most, order = 0, 0, list[int]()

        @registry.task("counted")
        async def counted(number: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            order.append(number)
            await asyncio.sleep(0)
            running -= 1

        node = await harness.node(registry, concurrency=2)
        runs = [await node.tasks.submit(user, counted, {"number": number}) for number in range(12)]
        for run in runs:
            assert (await node.tasks.wait(user, run.id, timeout=_PATIENCE)).status is TaskStatus.SUCCEEDED
        assert most <= 2
        assert sorted(order) == list(range(12))
