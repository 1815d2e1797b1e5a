"""JOB-1 and JOB-2: how jobs end."""

import asyncio
import uuid

import pytest

from bedplate.services.errors import InvalidInputError, UnavailableError
from bedplate.services.job_queue import JobLog, JobNotFoundError, JobQueueService, JobStatus
from bedplate.wiring.testing.job_queue.harness import JobQueueFixtures, JobQueueHarness, ReadAll, Work

__all__ = ["Endings"]


class Endings(JobQueueFixtures):
    """JOB-1, JOB-2 and ALL-1."""

    async def test_cancel_is_confirmed_and_never_raises_into_the_caller(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-2, prior defect: cleaning a running job raised CancelledError and left it registered."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        cancelled = await queue.cancel(user, job.id)
        assert cancelled.status is JobStatus.CANCELLED
        assert work.cancelled
        assert [event.type for event in await read_all(queue, job)] == ["cancelled"]

    async def test_cancel_may_be_repeated(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-2: cancelling twice, at once and after, is a success and one event."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        both = await asyncio.gather(queue.cancel(user, job.id), queue.cancel(user, job.id))
        assert {result.status for result in [*both, await queue.cancel(user, job.id)]} == {JobStatus.CANCELLED}
        assert (await (await harness.queue()).cancel(user, job.id)).status is JobStatus.CANCELLED
        assert len(await read_all(queue, job)) == 1

    async def test_cancel_of_a_finished_job_is_a_success(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-2: as in the contract."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.finish()
        await read_all(queue, job)
        assert (await queue.cancel(user, job.id)).status is JobStatus.SUCCEEDED

    async def test_cancelled_work_may_tidy_up_and_write(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-2: cancel is cooperative; what the work appends while it tidies up is kept."""
        begun = asyncio.Event()

        async def work(log: JobLog) -> None:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.02)
                log.append("add_message", {"status": "cancelled"})

        job = await queue.submit(user, work)
        await begun.wait()
        await asyncio.gather(*(queue.cancel(user, job.id) for _ in range(3)))
        assert [event.type for event in await read_all(queue, job)] == ["add_message", "cancelled"]

    @pytest.mark.parametrize("steps", range(8))
    async def test_cancel_at_any_moment_gives_one_terminal_event(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, read_all: ReadAll, steps: int
    ) -> None:
        """JOB-1, JOB-2: cancel races with the start, the course and the end of the work."""

        async def work(log: JobLog) -> None:
            for number in range(4):
                log.append("token", number)
                await asyncio.sleep(0)

        job = await queue.submit(user, work)
        for _ in range(steps):
            await asyncio.sleep(0)
        result = await queue.cancel(user, job.id)
        events = await read_all(queue, job)
        assert [event.terminal for event in events] == [False] * (len(events) - 1) + [True]
        assert result.status is {"end": JobStatus.SUCCEEDED, "cancelled": JobStatus.CANCELLED}[events[-1].type]
        assert await read_all(await harness.queue(), job) == events

    async def test_job_that_takes_too_long_ends_with_an_error(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-2: timeouts."""
        job = await queue.submit(user, work, timeout=0.02)
        [event] = await read_all(queue, job)
        assert (event.type, event.data["code"]) == ("error", "timeout")
        assert work.cancelled
        assert (await queue.get(user, job.id)).status is JobStatus.FAILED

    async def test_timeout_must_be_positive(self, queue: JobQueueService, user: uuid.UUID, work: Work) -> None:
        """JOB-2: bad input is a typed error."""
        with pytest.raises(InvalidInputError):
            await queue.submit(user, work, timeout=0)

    async def test_work_that_cancels_itself_has_failed(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1: nobody cancelled the job, so it is not called cancelled."""

        async def work(_log: JobLog) -> None:
            raise asyncio.CancelledError

        job = await queue.submit(user, work)
        [event] = await read_all(queue, job)
        assert (event.type, event.data["code"]) == ("error", "work_cancelled")

    async def test_cleaning_one_job_harms_no_other(
        self, queue: JobQueueService, user: uuid.UUID, make_work: type[Work], read_all: ReadAll
    ) -> None:
        """JOB-2: a job is deleted, running or not, and all others go on."""
        works = [make_work() for _ in range(3)]
        jobs = [await queue.submit(user, work) for work in works]
        await asyncio.gather(*(work.begun.wait() for work in works))
        reader = asyncio.create_task(read_all(queue, jobs[1]))
        await asyncio.sleep(0)
        await queue.cleanup(user, jobs[1].id)
        assert [event.type for event in await reader] == ["cancelled"]
        with pytest.raises(JobNotFoundError):
            await queue.get(user, jobs[1].id)
        for work in (works[0], works[2]):
            work.finish()
        for job in (jobs[0], jobs[2]):
            assert [event.type for event in await read_all(queue, job)] == ["end"]
        await queue.cleanup(user, jobs[0].id)
        assert [job.id for job in (await queue.list(user)).items] == [jobs[2].id]

    async def test_stop_ends_every_job_and_leaves_no_task(
        self, harness: JobQueueHarness, user: uuid.UUID, make_work: type[Work], read_all: ReadAll
    ) -> None:
        """JOB-1, prior defect: stop aborted at the first running job and left the others running."""
        before = asyncio.all_tasks()
        queue = await harness.queue(max_running=2)
        works = [make_work() for _ in range(3)]
        jobs = [await queue.submit(user, work) for work in works]
        readers = [asyncio.create_task(read_all(queue, job)) for job in jobs]
        await asyncio.gather(*(work.begun.wait() for work in works[:2]))
        await queue.stop()
        for events in await asyncio.gather(*readers):
            assert [(event.type, event.data["code"]) for event in events] == [("error", "interrupted")]
        assert asyncio.all_tasks() == before
        assert [(await queue.get(user, job.id)).status for job in jobs] == [JobStatus.INTERRUPTED] * 3
        with pytest.raises(UnavailableError):
            await queue.submit(user, works[0])

    async def test_stop_cuts_off_what_hangs_after_its_last_event(
        self, harness: JobQueueHarness, user: uuid.UUID
    ) -> None:
        """JOB-1: work that closed its log and goes on is ended too."""
        queue = await harness.queue()
        ended = asyncio.Event()

        async def work(log: JobLog) -> None:
            log.append("end", {})
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        job = await queue.submit(user, work)
        await queue.poll(user, job.id)
        await queue.stop()
        assert ended.is_set()
        assert (await queue.get(user, job.id)).status is JobStatus.SUCCEEDED

    async def test_queue_starts_again_after_a_stop(
        self, queue: JobQueueService, user: uuid.UUID, make_work: type[Work], read_all: ReadAll
    ) -> None:
        """ALL-1: start and stop, twice and again."""
        first, second = make_work(), make_work()
        job = await queue.submit(user, first)
        await queue.stop()
        await queue.stop()
        await queue.start()
        again = await queue.submit(user, second)
        second.finish()
        assert [event.type for event in await read_all(queue, again)] == ["end"]
        assert [event.type for event in await read_all(queue, job)] == ["error"]

    async def test_many_jobs_at_once_all_end(
        self, harness: JobQueueHarness, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1: hundreds of jobs share commits; each has its own whole log."""
        queue = await harness.queue()

        async def work(log: JobLog) -> None:
            for number in range(5):
                log.append("token", number)
                await asyncio.sleep(0)

        jobs = await asyncio.gather(*(queue.submit(user, work) for _ in range(300)))
        logs = await asyncio.gather(*(read_all(queue, job) for job in jobs))
        assert all([event.id for event in events] == [1, 2, 3, 4, 5, 6] for events in logs)
        listed = [*(await queue.list(user, limit=500)).items]
        assert len(listed) == 300
        assert {(job.status, job.last_event_id) for job in listed} == {(JobStatus.SUCCEEDED, 6)}
