"""TASK-1 and TASK-2: any sequence of operations on runs does what the same sequence does to a model."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bedplate.services.task import (
    TaskContext,
    TaskKeyTakenError,
    TaskNotDeadError,
    TaskNotFoundError,
    TaskRegistry,
    TaskRun,
    TaskService,
    TaskUnfinishedError,
)
from bedplate.wiring.testing.task.harness import TaskFixtures, TaskHarness

__all__ = ["Machine"]

_WHICH = st.integers(0, 100)
_NODE = st.integers(0, 1)
_KEY = st.sampled_from([None, "a", "b"])


class Machine(TaskFixtures):
    """TASK-1, TASK-2, ALL-4."""

    async def test_any_sequence_of_operations(
        self, harness: TaskHarness, registry: TaskRegistry, user: uuid.UUID, other: uuid.UUID
    ) -> None:
        """TASK-1, TASK-2: submits, keys, ends, cancels and dead letters, seen from two processes, against a model."""
        script, loop = _Script(), asyncio.get_running_loop()

        @registry.task("scripted")
        async def scripted(context: TaskContext, number: int) -> int:
            return await script.run(context, number)

        here = (await harness.node(registry, concurrency=1_000)).tasks
        elsewhere = (await harness.node(registry, execute=False)).tasks

        def wait(work: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        class Bound(Model):
            services = Services((here, elsewhere), script, (user, other), wait)

        # Hypothesis drives its machines without a loop: from a thread, on the loop of the test.
        limits = settings(max_examples=12, stateful_step_count=25, deadline=None)
        await asyncio.to_thread(run_state_machine_as_test, Bound, settings=limits)


class _Script:
    """The function of the task: each run of it ends when and as the test says."""

    def __init__(self) -> None:
        self._begun: dict[uuid.UUID, asyncio.Event] = {}
        self._ends: dict[uuid.UUID, asyncio.Future[bool]] = {}

    async def run(self, context: TaskContext, number: int) -> int:
        """Return the number, or fail."""
        end = self._ends[context.run_id] = asyncio.get_running_loop().create_future()
        self.begun(context.run_id).set()
        if not await end:
            raise RuntimeError("as the test says")
        return number

    def begun(self, run_id: uuid.UUID) -> asyncio.Event:
        """Set when the run has begun."""
        return self._begun.setdefault(run_id, asyncio.Event())

    async def end(self, run_id: uuid.UUID, *, well: bool) -> None:
        """Let a run return or fail, once it has begun."""
        await self.begun(run_id).wait()
        self.begun(run_id).clear()
        self._ends[run_id].set_result(well)


class Services(NamedTuple):
    """What a machine works on; ``wait`` runs something on the loop of the services and returns its result."""

    nodes: tuple[TaskService, TaskService]
    script: _Script
    users: tuple[uuid.UUID, uuid.UUID]
    wait: Callable[[Coroutine[Any, Any, Any]], Any]


class _Known:
    """What is known of a run."""

    def __init__(self, owner: int, run: TaskRun, number: int, key: str | None) -> None:
        self.owner = owner
        self.id = run.id
        self.number = number
        self.key = key
        self.status = "unfinished"


class Model(RuleBasedStateMachine):
    """Runs of two users, in the order in which they were submitted."""

    services: ClassVar[Services]

    def __init__(self) -> None:
        super().__init__()
        self.nodes, self.script, self.users, self.wait = self.services
        self.runs: list[_Known] = []
        self.example = uuid.uuid4().hex

    def teardown(self) -> None:
        """Leave nothing to the next example."""
        for run in self.runs:
            self.wait(self.nodes[0].cancel(self.users[run.owner], run.id))
            self.wait(self.nodes[0].delete(self.users[run.owner], run.id))

    def pick(self, which: int) -> _Known:
        """One of the runs."""
        return self.runs[which % len(self.runs)]

    @rule(owner=st.integers(0, 1), number=st.integers(0, 2), key=_KEY, node=_NODE)
    def submit(self, owner: int, number: int, key: str | None, node: int) -> None:
        """A new run, or the one that has the key."""
        full = None if key is None else f"{self.example} {key}"
        submit = self.nodes[node].submit(self.users[owner], "scripted", {"number": number}, key=full)
        same = next((run for run in self.runs if key and (run.owner, run.key) == (owner, key)), None)
        if same is None:
            self.runs.append(_Known(owner, self.wait(submit), number, key))
        elif same.number == number:
            assert self.wait(submit).id == same.id
        else:
            with pytest.raises(TaskKeyTakenError):
                self.wait(submit)

    @precondition(lambda self: self.runs)
    @rule(which=_WHICH, well=st.booleans(), node=_NODE)
    def end(self, which: int, well: bool, node: int) -> None:
        """Its function returns or fails."""
        run = self.pick(which)
        if run.status != "unfinished":
            return
        self.wait(self.script.end(run.id, well=well))
        run.status = "succeeded" if well else "failed"
        done: TaskRun = self.wait(self.nodes[node].wait(self.users[run.owner], run.id))
        assert (done.status, done.result) == (run.status, run.number if well else None)

    @precondition(lambda self: self.runs)
    @rule(which=_WHICH, node=_NODE)
    def cancel(self, which: int, node: int) -> None:
        """Cancelled, unless it has finished."""
        run = self.pick(which)
        done: TaskRun = self.wait(self.nodes[node].cancel(self.users[run.owner], run.id))
        if run.status == "unfinished":
            run.status = "cancelled"
            if run.key is not None:
                return self._keep(run)
        assert done.status == run.status
        return None

    def _keep(self, run: _Known) -> None:
        """A key stays with its run, however that has ended."""
        again = self.nodes[0].submit(
            self.users[run.owner], "scripted", {"number": run.number}, key=f"{self.example} {run.key}"
        )
        assert self.wait(again).id == run.id

    @precondition(lambda self: self.runs)
    @rule(which=_WHICH)
    def requeue(self, which: int) -> None:
        """Tried again, if it has failed."""
        run = self.pick(which)
        requeue = self.nodes[1].requeue(self.users[run.owner], run.id)
        if run.status != "failed":
            with pytest.raises(TaskNotDeadError):
                self.wait(requeue)
            return
        self.wait(requeue)
        run.status = "unfinished"

    @precondition(lambda self: self.runs)
    @rule(which=_WHICH)
    def delete(self, which: int) -> None:
        """Gone for everybody, if it has finished."""
        run = self.pick(which)
        delete = self.nodes[1].delete(self.users[run.owner], run.id)
        if run.status == "unfinished":
            with pytest.raises(TaskUnfinishedError):
                self.wait(delete)
            return
        self.wait(delete)
        self.runs.remove(run)
        with pytest.raises(TaskNotFoundError):
            self.wait(self.nodes[0].get(self.users[run.owner], run.id))

    @precondition(lambda self: self.runs)
    @rule(which=_WHICH, node=_NODE)
    def ask_for_anothers(self, which: int, node: int) -> None:
        """Whatever is asked of it, it does not exist."""
        run, tasks = self.pick(which), self.nodes[node]
        for asked in (tasks.get, tasks.cancel, tasks.requeue, tasks.delete, tasks.wait):
            with pytest.raises(TaskNotFoundError):
                self.wait(asked(self.users[1 - run.owner], run.id))

    @rule(node=_NODE)
    def list_all(self, node: int) -> None:
        """Newest first, each owner's own."""
        for owner, user in enumerate(self.users):
            listed = self.wait(self.nodes[node].list(user, limit=500)).items
            own = [run for run in reversed(self.runs) if run.owner == owner]
            assert [run.id for run in listed] == [run.id for run in own]
            for shown, run in zip(listed, own, strict=True):
                assert shown.status in (("queued", "running") if run.status == "unfinished" else (run.status,))
