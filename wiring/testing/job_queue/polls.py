"""JOB-2 and JOB-3: polls, lists and limits."""

import asyncio
import uuid

import pytest

from bedplate.services.errors import InvalidInputError, NotFoundError
from bedplate.services.job_queue import JobQueueService, JobStatus, TooManyJobsError
from bedplate.wiring.testing.job_queue.harness import JobQueueFixtures, JobQueueHarness, ReadAll, Work

__all__ = ["Polls"]


class Polls(JobQueueFixtures):
    """JOB-2 and JOB-3."""

    async def test_polling_continues_after_what_was_given_last(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work
    ) -> None:
        """JOB-2: each event comes once, unless the caller names an id."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("a")
        work.log.append("b")
        assert [event.type for event in await queue.poll(user, job.id)] == ["a", "b"]
        waiting = asyncio.create_task(queue.poll(user, job.id))
        await asyncio.sleep(0)
        work.log.append("c")
        assert [event.type for event in await waiting] == ["c"]
        assert [event.type for event in await queue.poll(user, job.id, after=1)] == ["b", "c"]
        assert [event.type for event in await queue.poll(user, job.id, after=0, limit=1)] == ["a"]
        work.finish()
        assert [event.type for event in await queue.poll(user, job.id)] == ["b", "c"]
        assert [event.type for event in await queue.poll(user, job.id)] == ["end"]
        assert await queue.poll(user, job.id) == []
        later = await harness.queue()
        assert [event.type for event in await later.poll(user, job.id, after=3)] == ["end"]

    async def test_two_polls_at_once_share_the_events(
        self, queue: JobQueueService, user: uuid.UUID, work: Work
    ) -> None:
        """JOB-2: each event comes once, also to polls that wait side by side."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        polls = [asyncio.create_task(queue.poll(user, job.id, limit=1)) for _ in range(3)]
        await asyncio.sleep(0)
        for kind in "abc":
            work.log.append(kind)
        assert sorted(event.type for events in await asyncio.gather(*polls) for event in events) == ["a", "b", "c"]
        work.finish()

    async def test_poll_gives_up_after_its_timeout(self, queue: JobQueueService, user: uuid.UUID, work: Work) -> None:
        """JOB-2, prior defect: polling waited for ever."""
        job = await queue.submit(user, work)
        assert await queue.poll(user, job.id, timeout=0.01) == ()
        work.finish()

    async def test_poll_that_is_cancelled_takes_no_event(
        self, queue: JobQueueService, user: uuid.UUID, work: Work
    ) -> None:
        """JOB-2: what a poll did not deliver the next one does."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        poll = asyncio.create_task(queue.poll(user, job.id))
        await asyncio.sleep(0)
        poll.cancel()
        work.log.append("a")
        assert [event.type for event in await queue.poll(user, job.id)] == ["a"]
        work.finish()

    async def test_jobs_are_listed_newest_first_by_cursor(
        self, queue: JobQueueService, user: uuid.UUID, make_work: type[Work], read_all: ReadAll
    ) -> None:
        """JOB-1: list by owner, with cursor and filters."""
        jobs = []
        for _ in range(5):
            work = make_work()
            work.finish()
            jobs.append(await queue.submit(user, work))
            await read_all(queue, jobs[-1])
        first = await queue.list(user, limit=2)
        second = await queue.list(user, limit=2, cursor=first.next_cursor)
        third = await queue.list(user, limit=2, cursor=second.next_cursor)
        listed = [*first.items, *second.items, *third.items]
        assert [job.id for job in listed] == [job.id for job in reversed(jobs)]
        assert third.next_cursor is None
        assert {job.status for job in listed} == {JobStatus.SUCCEEDED}
        assert len((await queue.list(user, status=JobStatus.FAILED)).items) == 0
        assert len((await queue.list(user, flow_id=uuid.uuid4())).items) == 0
        with pytest.raises(InvalidInputError, match="cursor"):
            await queue.list(user, cursor="nonsense")

    async def test_jobs_beyond_the_places_wait_in_order(
        self, harness: JobQueueHarness, user: uuid.UUID, make_work: type[Work], read_all: ReadAll
    ) -> None:
        """JOB-3, prior defect: no limit on jobs at once."""
        queue = await harness.queue(max_running=1, max_jobs=3)
        works = [make_work() for _ in range(4)]
        jobs = [await queue.submit(user, work) for work in works[:3]]
        assert [job.status for job in jobs] == [JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.QUEUED]
        with pytest.raises(TooManyJobsError):
            await queue.submit(user, works[3])
        assert (await queue.cancel(user, jobs[1].id)).status is JobStatus.CANCELLED
        assert not works[1].begun.is_set()
        works[0].finish()
        await works[2].begun.wait()
        await read_all(queue, jobs[0])
        works[2].finish()
        assert [event.type for event in await read_all(queue, jobs[2])] == ["end"]
        assert (await (await harness.queue()).get(user, jobs[2].id)).started_at is not None

    async def test_job_of_a_user_who_is_not_there_is_refused(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, make_work: type[Work], read_all: ReadAll
    ) -> None:
        """JOB-1: and the jobs that were stored with it are not harmed."""
        good = make_work()
        refused, job = await asyncio.gather(
            queue.submit(uuid.uuid4(), work), queue.submit(user, good), return_exceptions=True
        )
        assert isinstance(refused, NotFoundError)
        good.finish()
        assert [event.type for event in await read_all(queue, job)] == ["end"]
