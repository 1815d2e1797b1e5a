"""JOB-1: those who watch hear of each job when it is there, when it runs, and when it can be read to its end."""

import asyncio
import uuid

from bedplate.services.job_queue import Job, JobLog, JobQueueService, JobStatus
from bedplate.wiring.testing.job_queue.harness import JobQueueFixtures, JobQueueHarness, ReadAll, Work

__all__ = ["Watching"]


class _Heard:
    """Keeps what a watcher is told."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._told = asyncio.Event()

    def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        self._told.set()

    async def until(self, job_id: uuid.UUID, status: JobStatus) -> None:
        while (job_id, status) not in [(job.id, job.status) for job in self.jobs]:
            self._told.clear()
            await self._told.wait()

    def of(self, job_id: uuid.UUID) -> list[JobStatus]:
        return [job.status for job in self.jobs if job.id == job_id]


class Watching(JobQueueFixtures):
    """JOB-1 and SOCK-1."""

    async def test_watchers_hear_how_a_job_goes(
        self, harness: JobQueueHarness, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        queue, heard = await harness.queue(max_running=1), _Heard()
        end = queue.watch(heard)
        first, second = Work(), Work()
        running, waiting = await queue.submit(user, first), await queue.submit(user, second)
        await first.begun.wait()
        await queue.cancel(user, running.id)
        await second.begun.wait()
        await queue.cancel(user, waiting.id)
        await heard.until(waiting.id, JobStatus.CANCELLED)
        assert heard.of(running.id) == [JobStatus.RUNNING, JobStatus.CANCELLED]
        assert heard.of(waiting.id) == [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.CANCELLED]
        end()
        await read_all(queue, await queue.submit(user, _nothing))
        assert len(heard.jobs) == 5

    async def test_a_job_that_is_told_to_have_ended_can_be_read_to_its_end(
        self, queue: JobQueueService, user: uuid.UUID
    ) -> None:
        heard = _Heard()
        queue.watch(heard)
        job = await queue.submit(user, _nothing)
        await heard.until(job.id, JobStatus.SUCCEEDED)
        ended = heard.jobs[-1]
        assert ended.finished_at is not None
        assert ended.last_event_id == 1
        assert [event.type for event in await queue.poll(user, job.id, after=0, timeout=0.0)] == ["end"]

    async def test_a_watcher_that_fails_harms_no_job(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        def fails(_job: Job) -> None:
            raise RuntimeError("a watcher of somebody")

        queue.watch(fails)
        assert [event.type for event in await read_all(queue, await queue.submit(user, _nothing))] == ["end"]


async def _nothing(_log: JobLog) -> None:
    """Do nothing."""
