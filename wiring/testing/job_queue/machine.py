"""JOB-1 and JOB-2: any sequence of operations on jobs does what the same sequence does to a model."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bedplate.services.job_queue import Job, JobEvent, JobFinishedError, JobLog, JobNotFoundError, JobQueueService
from bedplate.wiring.testing.job_queue.harness import JobQueueFixtures, JobQueueHarness, Work

__all__ = ["Machine"]

_STATUSES = {"end": "succeeded", "error": "failed", "cancelled": "cancelled", None: "running"}
_WHICH = st.integers(0, 100)


class Machine(JobQueueFixtures):
    """JOB-1, JOB-2, ALL-4."""

    async def test_any_sequence_of_operations(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, other: uuid.UUID
    ) -> None:
        """JOB-1, JOB-2: logs, endings, polls, lists and deletions, seen from two processes, against a model."""
        elsewhere, loop = await harness.queue(), asyncio.get_running_loop()

        def wait(work: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        class Bound(Model):
            services = Services(queue, elsewhere, (user, other), wait)

        # Hypothesis drives its machines without a loop: from a thread, on the loop of the test.
        limits = settings(max_examples=15, stateful_step_count=25, deadline=None)
        await asyncio.to_thread(run_state_machine_as_test, Bound, settings=limits)


class Services(NamedTuple):
    """What a machine works on; ``wait`` runs something on the loop of the queues and returns its result."""

    queue: JobQueueService
    elsewhere: JobQueueService
    users: tuple[uuid.UUID, uuid.UUID]
    wait: Callable[[Coroutine[Any, Any, Any]], Any]


class _Scripted(Work):
    """Work that ends as the test says."""

    fails = False

    async def __call__(self, log: JobLog) -> None:
        await super().__call__(log)
        if self.fails:
            raise RuntimeError("as the test says")


class _Known:
    """What is known of a job."""

    def __init__(self, owner: int, job: Job, work: _Scripted) -> None:
        self.owner = owner
        self.id = job.id
        self.work = work
        self.events: list[str] = []
        self.end: str | None = None
        self.polled = 0

    def close(self, end: str) -> None:
        """It has ended so."""
        self.end = end
        self.events.append(end)


class Model(RuleBasedStateMachine):
    """Jobs of two users, in the order in which they were submitted."""

    services: ClassVar[Services]

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.elsewhere, self.users, self.wait = self.services
        self.jobs: list[_Known] = []
        self.number = 0

    def teardown(self) -> None:
        """Leave nothing to the next example."""
        for job in self.jobs:
            self.wait(self.queue.cleanup(self.users[job.owner], job.id))

    def pick(self, which: int) -> _Known:
        """One of the jobs."""
        return self.jobs[which % len(self.jobs)]

    @rule(owner=st.integers(0, 1))
    def submit(self, owner: int) -> None:
        """A job whose work runs until it is told to end."""

        async def submit() -> _Known:
            work = _Scripted()
            job = await self.queue.submit(self.users[owner], work)
            await work.begun.wait()
            return _Known(owner, job, work)

        self.jobs.append(self.wait(submit()))

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH, count=st.integers(1, 5))
    def append(self, which: int, count: int) -> None:
        """Events, unless the log is closed."""
        job = self.pick(which)

        async def append(kind: str) -> None:
            job.work.log.append(kind, {})

        for _ in range(count):
            self.number += 1
            kind = f"event-{self.number}"
            if job.end is not None:
                with pytest.raises(JobFinishedError):
                    self.wait(append(kind))
            else:
                self.wait(append(kind))
                job.events.append(kind)

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH, fails=st.booleans())
    def finish(self, which: int, fails: bool) -> None:
        """The work returns, or raises."""
        job = self.pick(which)

        async def finish() -> None:
            job.work.fails = fails
            job.work.finish()
            async with aclosing(self.queue.events(self.users[job.owner], job.id)) as events:
                async for _ in events:
                    pass

        self.wait(finish())
        if job.end is None:
            job.close("error" if fails else "end")

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH)
    def cancel(self, which: int) -> None:
        """Cancelled, unless it has ended."""
        job = self.pick(which)
        cancelled: Job = self.wait(self.queue.cancel(self.users[job.owner], job.id))
        if job.end is None:
            job.close("cancelled")
        assert cancelled.status == _STATUSES[job.end]

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH, limit=st.integers(1, 4))
    def poll(self, which: int, limit: int) -> None:
        """Each event comes once."""
        job = self.pick(which)
        expected = job.events[job.polled : job.polled + limit]
        # Not long for what cannot come, and for what must come as long as the machine needs.
        timeout = 30.0 if expected else 0.01
        events = self.wait(self.queue.poll(self.users[job.owner], job.id, timeout=timeout, limit=limit))
        job.polled += len(expected)
        assert [event.type for event in events] == expected

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH, after=st.integers(0, 20), here=st.booleans())
    def read(self, which: int, after: int, here: bool) -> None:
        """From any event on, in this process, and once it has ended, in another."""
        job = self.pick(which)
        after = min(after, len(job.events))
        queue = self.queue if here or job.end is None else self.elsewhere
        reader = queue.events(self.users[job.owner], job.id, after=after)
        events = self.wait(_taken(reader, None if job.end else len(job.events) - after))
        assert [event.type for event in events] == job.events[after:]
        assert [event.id for event in events] == list(range(after + 1, len(job.events) + 1))

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH)
    def clean_up(self, which: int) -> None:
        """Cancelled and gone, with its log."""
        job = self.pick(which)
        self.wait(self.queue.cleanup(self.users[job.owner], job.id))
        self.jobs.remove(job)
        for queue in (self.queue, self.elsewhere):
            with pytest.raises(JobNotFoundError):
                self.wait(queue.get(self.users[job.owner], job.id))

    @precondition(lambda self: self.jobs)
    @rule(which=_WHICH)
    def ask_for_anothers(self, which: int) -> None:
        """Whatever is asked of it, it does not exist."""
        job, stranger = self.pick(which), self.users[1 - self.pick(which).owner]
        for asked in (self.queue.get, self.queue.poll, self.queue.cancel, self.queue.cleanup):
            with pytest.raises(JobNotFoundError):
                self.wait(asked(stranger, job.id))

    @rule()
    def list_all(self) -> None:
        """Newest first, each owner's own."""
        for owner, user in enumerate(self.users):
            listed = self.wait(self.queue.list(user, limit=500)).items
            own = [job for job in reversed(self.jobs) if job.owner == owner]
            assert [job.id for job in listed] == [job.id for job in own]
            assert [job.status for job in listed] == [_STATUSES[job.end] for job in own]


async def _taken(events: AsyncGenerator[JobEvent, None], count: int | None) -> list[JobEvent]:
    """So many events; None: all to the last."""
    taken: list[JobEvent] = []
    async with aclosing(events):
        while count is None or len(taken) < count:
            try:
                taken.append(await anext(events))
            except StopAsyncIteration:
                break
    return taken
