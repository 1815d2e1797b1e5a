"""What becomes of runs when processes end, hang, or do not know their function."""

import asyncio
import uuid

from bedplate.services.task import TaskContext, TaskRegistry, TaskStatus
from bedplate.wiring.testing.task.harness import Function, Node, TaskFixtures, TaskHarness, until

__all__ = ["Recovery"]


class Recovery(TaskFixtures):
    """At least once, by whichever process."""

    async def test_another_process_executes_what_one_submits(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: a process that only submits executes nothing."""
        waiting.finish()
        web = await harness.node(registry, execute=False)
        run = await web.tasks.submit(user, "waiting")
        assert run.status is TaskStatus.QUEUED
        await harness.node(registry)
        assert await web.tasks.result(user, run.id) == 1

    async def test_run_of_an_expired_lease_is_executed_again(
        self, harness: TaskHarness, registry: TaskRegistry, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: by another process, from the beginning; that is no failure."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        await harness.lapse(node)
        rescuer = await harness.node(registry)
        await waiting.begins()
        waiting.finish()  # both calls return, and what the first one gives is nobody's
        done = await rescuer.tasks.wait(user, run.id)
        assert (done.status, done.attempt, done.failures) == (TaskStatus.SUCCEEDED, 2, 0)
        assert done.result == 2

    async def test_process_whose_lease_was_ended_writes_nothing_more(
        self, harness: TaskHarness, registry: TaskRegistry, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: fenced, even where nobody has begun the run anew yet."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        await harness.lapse(node)
        judge = await harness.node(TaskRegistry())
        await judge.beat()
        assert (await judge.tasks.get(user, run.id)).status is TaskStatus.QUEUED
        worker = node.worker
        assert worker is not None
        waiting.finish(1)
        await until(lambda: not worker.executes(user, run.id))
        assert (await judge.tasks.get(user, run.id)).status is TaskStatus.QUEUED
        waiting.finish()
        rescuer = await harness.node(registry)
        assert await rescuer.tasks.result(user, run.id) == 2

    async def test_process_that_was_taken_for_dead_goes_on_under_a_new_lease(
        self, harness: TaskHarness, registry: TaskRegistry, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: its functions are asked to end, as others have begun them anew."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        await harness.lapse(node)
        rescuer = await harness.node(registry)
        await waiting.begins()
        await node.beat()
        await until(lambda: waiting.cancelled)
        waiting.finish()
        assert await rescuer.tasks.result(user, run.id) == 2
        assert await node.tasks.result(user, (await node.tasks.submit(user, "waiting")).id) == 3

    async def test_run_that_kills_its_processes_is_given_up(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: a dead letter after so many, with nothing lost."""
        first = await harness.node(registry)
        run = await first.tasks.submit(user, "waiting")
        await waiting.begins()
        await harness.lapse(first)
        second = await harness.node(registry)
        await waiting.begins()
        await harness.lapse(second)
        judge = await harness.node(registry, max_losses=1)
        await judge.beat()
        dead = await judge.tasks.wait(user, run.id)
        assert (dead.status, dead.error_code, dead.attempt) == (TaskStatus.FAILED, "task_lost", 2)
        waiting.finish()
        await judge.tasks.requeue(user, run.id)
        assert await judge.tasks.result(user, run.id) == 3

    async def test_cancel_that_its_process_did_not_live_to_see(
        self, harness: TaskHarness, registry: TaskRegistry, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-1: whoever takes the run over confirms the cancel."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        await harness.lapse(node)
        elsewhere = await harness.node(registry, execute=False)
        cancel = asyncio.create_task(elsewhere.tasks.cancel(user, run.id))

        async def asked() -> bool:
            return (await elsewhere.tasks.get(user, run.id)).cancel_requested

        await until(asked)
        await harness.node(registry)
        assert (await cancel).status is TaskStatus.CANCELLED
        assert waiting.calls == 1

    async def test_draining_process_lets_tasks_end(self, node: Node, user: uuid.UUID, waiting: Function) -> None:
        """TASK-2: those that do within the time; it begins nothing more."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        assert node.worker is not None
        drain = asyncio.create_task(node.worker.drain(60))
        await asyncio.sleep(0)
        late = await node.tasks.submit(user, "waiting")
        waiting.finish()
        await drain
        assert await node.tasks.result(user, run.id) == 1
        assert (await node.tasks.get(user, late.id)).status is TaskStatus.QUEUED

    async def test_draining_process_gives_back_what_does_not_end(
        self, harness: TaskHarness, registry: TaskRegistry, node: Node, user: uuid.UUID, waiting: Function
    ) -> None:
        """TASK-2: for another to begin anew; that is no failure."""
        run = await node.tasks.submit(user, "waiting")
        await waiting.begins()
        assert node.worker is not None
        await node.worker.drain(0)
        given = await node.tasks.get(user, run.id)
        assert (given.status, given.failures, waiting.cancelled) == (TaskStatus.QUEUED, 0, 1)
        waiting.finish()
        await harness.node(registry)
        assert await node.tasks.result(user, run.id) == 2

    async def test_task_whose_function_is_gone_is_a_dead_letter(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        """TASK-1: its row is kept, and it is executed once its function is back."""

        @registry.task("moved")
        async def moved(number: int) -> int:
            return number

        before = await harness.node(registry, execute=False)
        run = await before.tasks.submit(user, "moved", {"number": 5})
        after = await harness.node(TaskRegistry(), unknown_grace=0.0)
        await after.beat()
        dead = await before.tasks.wait(user, run.id)
        assert (dead.status, dead.error_code, dead.arguments) == (TaskStatus.FAILED, "task_unknown", {"number": 5})
        assert "BEDPLATE_TASK__MODULES" in str(dead.error)
        assert after.worker is not None
        await after.worker.stop()  # it would find the run without a function again
        await harness.node(registry)
        await before.tasks.requeue(user, run.id)
        assert await before.tasks.result(user, run.id) == 5

    async def test_task_whose_function_takes_other_arguments_now_is_a_dead_letter(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID
    ) -> None:
        """TASK-1: it is not tried again, which would not help."""

        @registry.task("changed", max_attempts=5)
        async def changed(number: int) -> None: ...

        before = await harness.node(registry, execute=False)
        run = await before.tasks.submit(user, "changed", {"number": 5})
        newer = TaskRegistry()

        @newer.task("changed")
        async def changed_since(text: str) -> None: ...

        await harness.node(newer)
        dead = await before.tasks.wait(user, run.id)
        assert (dead.status, dead.error_code, dead.attempt) == (TaskStatus.FAILED, "task_arguments", 1)

    async def test_cron_fires_once_for_all_processes(self, harness: TaskHarness, registry: TaskRegistry) -> None:
        """TASK-2: whoever is first submits, for the system."""
        seen: list[uuid.UUID] = []

        @registry.task("every second", cron="* * * * * *")
        async def every_second(context: TaskContext) -> None:
            seen.append(context.run_id)

        nodes = [await harness.node(registry, schedules=True, cron_catch_up=0.0) for _ in range(3)]
        await until(lambda: len(seen) >= 3)
        runs = (await nodes[0].tasks.list(None, name="every second")).items
        assert {run.user_id for run in runs} == {None}
        # Each time once: three processes that did not agree would have submitted three times as many.
        lasted = (runs[0].created_at - runs[-1].created_at).total_seconds()
        assert len(runs) <= lasted + 2
        assert len(seen) == len(set(seen))
