"""JOB-4: jobs seen from other processes than the one that runs them."""

import asyncio
import random
import uuid
from contextlib import aclosing
from typing import ClassVar

import pytest

from bedplate.services.job_queue import (
    JobElsewhereError,
    JobEvent,
    JobLog,
    JobNotFoundError,
    JobQueueService,
    JobStatus,
)
from bedplate.wiring.testing.job_queue.harness import JobQueueFixtures, JobQueueHarness, ReadAll, Work

__all__ = ["Elsewhere"]


class Elsewhere(JobQueueFixtures):
    """JOB-4.

    Attributes:
        cancels_elsewhere: Whether a process can cancel and delete the jobs that another one runs.
        polls_elsewhere: Whether a poll goes on after what another process has given to the same caller.
    """

    cancels_elsewhere: ClassVar[bool] = False
    polls_elsewhere: ClassVar[bool] = False

    async def test_a_job_is_begun_read_and_read_on_in_three_processes(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work
    ) -> None:
        """JOB-4: started here, read there, read on in a third: nothing lost, nothing twice, each event as it comes."""
        second, third = await harness.queue(), await harness.queue()
        job = await queue.submit(user, work)
        await work.begun.wait()
        read: list[JobEvent] = []
        for number in range(5):
            work.log.append("token", number)
        async with aclosing(second.events(user, job.id)) as events:
            while len(read) < 5:
                read.append(await anext(events))
            work.log.append("token", 5)
            read.append(await anext(events))
        for number in range(6, 10):
            work.log.append("token", number)
        async with aclosing(third.events(user, job.id, after=read[-1].id)) as events:
            while len(read) < 10:
                read.append(await anext(events))
            work.finish()
            read += [event async for event in events]
        assert [event.id for event in read] == list(range(1, 12))
        assert [event.type for event in read] == ["token"] * 10 + ["end"]
        for seen_from in (queue, second, third):
            assert [event async for event in seen_from.events(user, job.id)] == read
            assert (await seen_from.get(user, job.id)).status is JobStatus.SUCCEEDED

    async def test_many_readers_elsewhere_see_each_event_once(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-4: readers of several jobs, from any event on, that come at any time; some of them go away."""
        other = await harness.queue()
        dice = random.Random(7)  # noqa: S311 - not a secret

        async def work(log: JobLog) -> None:
            for number in range(300):
                log.append("token", {"number": number})
                if dice.random() < 0.2:
                    await asyncio.sleep(0.001)

        jobs = [await queue.submit(user, work) for _ in range(3)]
        starts = [(job, dice.randrange(250)) for job in jobs for _ in range(10)]

        async def read(number: int, job_id: uuid.UUID, after: int) -> list[int]:
            await asyncio.sleep(number / 500)
            ids = []
            async with aclosing(other.events(user, job_id, after=after)) as events:
                async for event in events:
                    ids.append(event.id)
                    if number % 5 == 0:
                        break
            return ids

        seen = await asyncio.gather(*(read(number, job.id, after) for number, (job, after) in enumerate(starts)))
        for number, ((_, after), ids) in enumerate(zip(starts, seen, strict=True)):
            assert ids == ([after + 1] if number % 5 == 0 else list(range(after + 1, 302)))
        for job in jobs:
            assert await read_all(other, job) == await read_all(queue, job)

    async def test_a_reader_that_names_an_event_to_come_harms_no_other(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-4: whoever asks for what is after event 1,000 of a short log gets nothing, and others get all."""
        other = await harness.queue()
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("token", 1)
        beyond = asyncio.create_task(read_all(other, job, 1_000))
        assert await other.poll(user, job.id, after=1_000, timeout=0.05) == ()
        reader = other.events(user, job.id)
        assert (await anext(reader)).id == 1
        work.log.append("token", 2)
        assert (await anext(reader)).id == 2
        work.finish()
        assert [event.type async for event in reader] == ["end"]
        assert await beyond == []

    async def test_cancel_from_another_process(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-4, JOB-2: confirmed when the job has ended, or refused by an error that says who could."""
        other = await harness.queue()
        job = await queue.submit(user, work)
        await work.begun.wait()
        if not self.cancels_elsewhere:
            with pytest.raises(JobElsewhereError, match="another process"):
                await other.cancel(user, job.id)
            assert (await queue.get(user, job.id)).status is JobStatus.RUNNING
            work.finish()
            return
        both = await asyncio.gather(other.cancel(user, job.id), other.cancel(user, job.id))
        assert {one.status for one in both} == {JobStatus.CANCELLED}
        assert work.cancelled
        for seen_from in (queue, other):
            assert [event.type for event in await read_all(seen_from, job)] == ["cancelled"]
            assert (await seen_from.cancel(user, job.id)).status is JobStatus.CANCELLED

    async def test_cancel_of_waiting_jobs_from_another_process(
        self, harness: JobQueueHarness, user: uuid.UUID, make_work: type[Work]
    ) -> None:
        """JOB-4, JOB-2: also of a job that waits for a place, whose work then never begins."""
        self.require("cancels_elsewhere")
        queue, other = await harness.queue(max_running=1), await harness.queue()
        first, second = make_work(), make_work()
        await queue.submit(user, first)
        waiting = await queue.submit(user, second)
        assert (await other.cancel(user, waiting.id)).status is JobStatus.CANCELLED
        first.finish()
        assert not second.begun.is_set()

    async def test_cleanup_from_another_process(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, make_work: type[Work]
    ) -> None:
        """JOB-4, JOB-2: the job is gone everywhere, and no other is harmed."""
        other = await harness.queue()
        works = [make_work(), make_work()]
        jobs = [await queue.submit(user, work) for work in works]
        await asyncio.gather(*(work.begun.wait() for work in works))
        if not self.cancels_elsewhere:
            with pytest.raises(JobElsewhereError):
                await other.cleanup(user, jobs[0].id)
        else:
            await other.cleanup(user, jobs[0].id)
            with pytest.raises(JobNotFoundError):
                await other.get(user, jobs[0].id)
            await _until_forgotten(queue, user, jobs[0].id)
            assert [job.id for job in (await queue.list(user)).items] == [jobs[1].id]
        for work in works:
            work.finish()
        assert [event.type async for event in other.events(user, jobs[1].id)] == ["end"]

    async def test_polls_of_several_processes(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work
    ) -> None:
        """JOB-4, JOB-2: each event comes once wherever its owner asks, or, if not shared, once in each process."""
        other = await harness.queue()
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("a")
        assert [event.type for event in await queue.poll(user, job.id)] == ["a"]
        work.log.append("b")
        if self.polls_elsewhere:
            assert [event.type for event in await other.poll(user, job.id)] == ["b"]
            polls = [asyncio.create_task(one.poll(user, job.id, limit=1)) for one in (queue, other, queue, other)]
            await asyncio.sleep(0)
            for kind in "cdef":
                work.log.append(kind)
            given = [event.type for events in await asyncio.gather(*polls) for event in events]
            assert sorted(given) == list("cdef")
        else:
            assert [event.type for event in await other.poll(user, job.id, limit=1)] == ["a"]
        work.finish()


async def _until_forgotten(queue: JobQueueService, user: uuid.UUID, job_id: uuid.UUID) -> None:
    """The process that ran a job forgets it a moment after another one has deleted it."""
    while True:
        try:
            await queue.get(user, job_id)
        except JobNotFoundError:
            return
        await asyncio.sleep(0.001)
