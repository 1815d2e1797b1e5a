"""What can be submitted, by whom, when it is started, and how often."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.services.task import (
    TaskArgumentsError,
    TaskArgumentsTooLargeError,
    TaskKeyTakenError,
    TaskNotDeadError,
    TaskNotFoundError,
    TaskRegistry,
    TaskScheduleError,
    TaskStatus,
    TaskUnfinishedError,
    TaskWaitError,
    TooManyTasksError,
    UnknownTaskError,
)
from bedplate.wiring.testing.task.harness import Function, Node, TaskFixtures, TaskHarness

__all__ = ["Submitting"]


class Submitting(TaskFixtures):
    """Submits, good ones and bad ones."""

    async def test_unknown_task_is_refused_by_name(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        with pytest.raises(UnknownTaskError, match="did you mean 'waiting'"):
            await node.tasks.submit(user, "waitin")
        with pytest.raises(UnknownTaskError):
            await node.tasks.submit(user, print)

    @pytest.mark.parametrize(
        "arguments",
        [{}, {"number": "one"}, {"number": 1, "more": 2}, {"number": object()}, {"number": float("nan")}, {1: 2}],
    )
    async def test_arguments_that_do_not_fit_are_refused(
        self, node: Node, user: uuid.UUID, registry: TaskRegistry, arguments: dict[Any, Any]
    ) -> None:
        """TASK-1: at the submit, and nothing is stored."""

        @registry.task("fitting")
        async def fitting(number: int) -> None: ...

        with pytest.raises(TaskArgumentsError, match="fitting"):
            await node.tasks.submit(user, fitting, arguments)
        assert (await node.tasks.list(user)).items == ()

    async def test_arguments_that_are_too_large_are_refused(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        @registry.task("taking")
        async def taking(text: str) -> None: ...

        node = await harness.node(registry, max_argument_bytes=100)
        with pytest.raises(TaskArgumentsTooLargeError, match="MAX_ARGUMENT_BYTES"):
            await node.tasks.submit(user, taking, {"text": "x" * 100})

    @pytest.mark.parametrize(
        "when",
        [
            {"delay": 1, "at": datetime.now(UTC)},
            {"at": datetime(2030, 1, 1)},  # noqa: DTZ001 - that is what is wrong
            {"delay": float("nan")},
            {"delay": float("inf")},
            {"at": datetime(9999, 1, 1, tzinfo=UTC)},
            {"timeout": -1},
            {"timeout": float("inf")},
            {"priority": 10**9},
            {"key": ""},
            {"key": "x" * 500},
        ],
    )
    async def test_moments_that_make_no_sense_are_refused(
        self, node: Node, user: uuid.UUID, waiting: Function, when: dict[str, Any]
    ) -> None:
        with pytest.raises(TaskScheduleError):
            await node.tasks.submit(user, "waiting", **when)

    async def test_owner_that_is_not_there(self, node: Node, waiting: Function) -> None:
        with pytest.raises(NotFoundError):
            await node.tasks.submit(uuid.uuid4(), "waiting")

    async def test_system_has_tasks_of_its_own(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        waiting.finish()
        run = await node.tasks.submit(None, "waiting")
        assert await node.tasks.result(None, run.id) == 1
        with pytest.raises(TaskNotFoundError):
            await node.tasks.get(user, run.id)

    async def test_run_of_another_user_is_not_there(
        self, node: Node, user: uuid.UUID, other: uuid.UUID, waiting: Function
    ) -> None:
        """ALL-4: in every method."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begun.wait()
        methods = (
            *(node.tasks.get, node.tasks.wait, node.tasks.result, node.tasks.cancel),
            *(node.tasks.requeue, node.tasks.delete),
        )
        for method in methods:
            for stranger in (other, None):
                with pytest.raises(TaskNotFoundError):
                    await method(stranger, run.id)
        assert (await node.tasks.list(other)).items == ()
        assert await node.tasks.requeue_all(other) == 0
        assert waiting.cancelled == 0
        waiting.finish()
        assert await node.tasks.result(user, run.id) == 1

    async def test_list_has_pages_newest_first(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        runs = [await node.tasks.submit(user, "waiting", delay=3600) for _ in range(5)]
        seen: list[uuid.UUID] = []
        cursor = None
        while True:
            page = await node.tasks.list(user, name="waiting", status=TaskStatus.QUEUED, limit=2, cursor=cursor)
            seen += [run.id for run in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert seen == [run.id for run in reversed(runs)]
        assert (await node.tasks.list(user, status=TaskStatus.FAILED)).items == ()
        waiting.finish()
        done = await node.tasks.submit(user, "waiting")
        assert await node.tasks.result(user, done.id) == 1
        assert (await node.tasks.list(user, limit=1)).items[0].result is None, "a page of large results is too large"
        with pytest.raises(InvalidInputError):
            await node.tasks.list(user, cursor="forged")

    async def test_too_many_waiting_tasks_are_refused(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID, other: uuid.UUID, waiting: Function
    ) -> None:
        """ALL-6: of one owner; another is not harmed."""
        node = await harness.node(registry, max_queued=2)
        for _ in range(2):
            await node.tasks.submit(user, "waiting", delay=3600)
        with pytest.raises(TooManyTasksError):
            await node.tasks.submit(user, "waiting", delay=3600)
        await node.tasks.submit(other, "waiting", delay=3600)

    async def test_delay_and_moment(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-2: not before, and soon after."""
        waiting.finish()
        later = await node.tasks.submit(user, "waiting", delay=timedelta(hours=1))
        soon = await node.tasks.submit(user, "waiting", at=datetime.now(UTC) + timedelta(seconds=0.05))
        past = await node.tasks.submit(user, "waiting", at=datetime.now(UTC) - timedelta(days=400))
        for submitted in (soon, past):
            run = await node.tasks.wait(user, submitted.id)
            assert run.started_at is not None
            assert run.started_at >= submitted.run_at
        assert (await node.tasks.get(user, later.id)).status is TaskStatus.QUEUED

    async def test_unique_key_makes_a_submit_idempotent(
        self, node: Node, user: uuid.UUID, other: uuid.UUID, registry: TaskRegistry
    ) -> None:
        """TASK-2: any number of submits at once, one run; per owner and task."""
        calls: list[int] = []

        @registry.task("paying")
        async def paying(amount: int) -> int:
            calls.append(amount)
            return len(calls)

        runs = await asyncio.gather(*(node.tasks.submit(user, paying, {"amount": 5}, key="order-1") for _ in range(10)))
        assert len({run.id for run in runs}) == 1
        assert await node.tasks.result(user, runs[0].id) == 1
        assert (await node.tasks.submit(user, paying, {"amount": 5}, key="order-1")).id == runs[0].id
        with pytest.raises(TaskKeyTakenError):
            await node.tasks.submit(user, paying, {"amount": 6}, key="order-1")
        theirs = await node.tasks.submit(other, paying, {"amount": 6}, key="order-1")
        await node.tasks.wait(other, theirs.id)
        assert calls == [5, 6]

    async def test_unique_key_may_end_with_its_run(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-2: one at a time, then the next."""
        first = await node.tasks.submit(user, "waiting", key="one", keep_key=False)
        assert (await node.tasks.submit(user, "waiting", key="one", keep_key=False)).id == first.id
        waiting.finish()
        await node.tasks.wait(user, first.id)
        assert (await node.tasks.submit(user, "waiting", key="one", keep_key=False)).id != first.id

    async def test_more_important_tasks_go_first(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: among those that wait."""
        self.require("prioritises")
        order: list[str] = []

        @registry.task("noted", priority=1)
        async def noted(name: str) -> None:
            order.append(name)

        node = await harness.node(registry, concurrency=1)
        first = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        runs = [
            await node.tasks.submit(user, noted, {"name": name}, priority=priority)
            for name, priority in (("low", -5), ("own", None), ("high", 9), ("own too", None))
        ]
        waiting.finish()
        for run in [first, *runs]:
            await node.tasks.wait(user, run.id)
        assert order == ["high", "own", "own too", "low"]

    async def test_submit_inside_a_transaction_comes_with_its_commit(
        self, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: not before, and not at all after a rollback."""
        waiting.finish()
        async with node.database.transaction():
            run = await node.tasks.submit(user, "waiting")
            assert run.status is TaskStatus.QUEUED
            with pytest.raises(TaskWaitError):
                await node.tasks.wait(user, run.id)
            with pytest.raises(TaskWaitError):
                await node.tasks.cancel(user, run.id)
            assert waiting.calls == 0
        assert await node.tasks.result(user, run.id) == 1
        gone: list[uuid.UUID] = []

        async def broken_off() -> None:
            async with node.database.transaction():
                gone.append((await node.tasks.submit(user, "waiting")).id)
                raise KeyError

        with pytest.raises(KeyError):
            await broken_off()
        with pytest.raises(TaskNotFoundError):
            await node.tasks.get(user, gone[0])
        assert waiting.calls == 1

    async def test_dead_letter_is_requeued(self, node: Node, user: uuid.UUID, registry: TaskRegistry) -> None:
        """TASK-2: listed, tried again with all its attempts, deleted."""
        broken = True

        @registry.task("mended")
        async def mended() -> str:
            if broken:
                raise OSError("down")
            return "up"

        runs = [await node.tasks.submit(user, mended) for _ in range(3)]
        for run in runs:
            await node.tasks.wait(user, run.id)
        assert len((await node.tasks.list(user, status=TaskStatus.FAILED)).items) == 3
        broken = False
        again = await node.tasks.requeue(user, runs[0].id)
        assert (again.id, again.failures) == (runs[0].id, 0)
        assert await node.tasks.result(user, again.id) == "up"
        with pytest.raises(TaskNotDeadError):
            await node.tasks.requeue(user, again.id)
        assert await node.tasks.requeue_all(user) == 2
        for run in runs:
            assert await node.tasks.result(user, run.id) == "up"

    async def test_only_what_has_finished_is_deleted(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        run = await node.tasks.submit(user, "waiting")
        await waiting.begun.wait()
        with pytest.raises(TaskUnfinishedError):
            await node.tasks.delete(user, run.id)
        waiting.finish()
        await node.tasks.wait(user, run.id)
        await node.tasks.delete(user, run.id)
        with pytest.raises(TaskNotFoundError):
            await node.tasks.get(user, run.id)
