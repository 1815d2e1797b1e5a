"""JOB-1: the event log and its readers."""

import asyncio
import time
import uuid
from datetime import UTC

import pytest

from bedplate.services.errors import InvalidInputError
from bedplate.services.job_queue import (
    TERMINAL_EVENTS,
    JobFinishedError,
    JobLog,
    JobLogFullError,
    JobNotFoundError,
    JobQueueService,
    JobStatus,
)
from bedplate.wiring.testing.job_queue.harness import JobQueueFixtures, JobQueueHarness, ReadAll, Work

__all__ = ["Logs"]


async def ten_tokens(log: JobLog) -> None:
    """Work that writes a little."""
    for number in range(10):
        log.append("token", {"chunk": f"word {number} "})
        await asyncio.sleep(0)


class Logs(JobQueueFixtures):
    """JOB-1, ALL-3, ALL-4 and ALL-6."""

    async def test_events_have_increasing_ids_and_end_with_one_terminal_event(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1: increasing ids, and a terminal event exactly once."""
        job = await queue.submit(user, ten_tokens)
        events = await read_all(queue, job)
        assert [event.id for event in events] == list(range(1, 12))
        assert [event.type for event in events] == ["token"] * 10 + ["end"]
        assert (await queue.get(user, job.id)).status is JobStatus.SUCCEEDED

    @pytest.mark.parametrize("kind", sorted(TERMINAL_EVENTS))
    async def test_work_may_close_its_log_itself(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll, kind: str
    ) -> None:
        """JOB-1: the terminal event of the work is the only one, and decides the status."""

        async def work(log: JobLog) -> None:
            log.append(kind, {"error": "told by the work"})
            with pytest.raises(JobFinishedError):
                log.append("token", {})
            raise RuntimeError("after the end")

        job = await queue.submit(user, work)
        events = await read_all(queue, job)
        assert [event.type for event in events] == [kind]
        status = (await queue.get(user, job.id)).status
        assert status == {"end": "succeeded", "error": "failed", "cancelled": "cancelled"}[kind]

    async def test_failure_of_the_work_is_an_error_event_without_its_text(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1: a terminal event after a crash of the work; ALL-3: no foreign error text in it."""

        async def work(_log: JobLog) -> None:
            raise RuntimeError("password=hunter2")

        job = await queue.submit(user, work)
        [event] = await read_all(queue, job)
        assert event.type == "error"
        assert event.data == {"code": "job_failed", "error": "The job failed: RuntimeError."}
        job = await queue.get(user, job.id)
        assert (job.status, job.error) == (JobStatus.FAILED, "The job failed: RuntimeError.")

    async def test_work_that_cannot_even_be_called_ends_with_an_error(
        self, queue: JobQueueService, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1: a terminal event whatever is submitted."""

        def work(_log: JobLog) -> None:
            raise ValueError

        job = await queue.submit(user, work)  # type: ignore[arg-type]  # that is what is tested
        assert [event.type for event in await read_all(queue, job)] == ["error"]

    async def test_reader_gets_the_same_from_memory_and_from_the_database(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1: replay, live from memory and later from the database."""
        job = await queue.submit(user, ten_tokens)
        live = await read_all(queue, job)
        queue = await harness.queue()
        assert await read_all(queue, job) == live
        assert await read_all(queue, job, after=4) == live[4:]
        assert await read_all(queue, job, after=11) == []

    async def test_no_reader_harms_another_or_the_writer(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-1: a slow reader, a cancelled one and one that goes away leave the rest alone."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("first")
        slow = queue.events(user, job.id)
        await anext(slow)
        cancelled = asyncio.create_task(read_all(queue, job))
        leaving = queue.events(user, job.id)
        await anext(leaving)
        steady = asyncio.create_task(read_all(queue, job))
        await asyncio.sleep(0)
        cancelled.cancel()
        await leaving.aclose()
        for number in range(500):
            work.log.append("token", number)
        work.finish()
        assert [event.id for event in await steady] == list(range(1, 503))
        assert [event.id async for event in slow] == list(range(2, 503))

    async def test_reader_from_the_middle_gets_what_follows(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-1: ``Last-Event-ID`` of a running job."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        for number in range(5):
            work.log.append("token", number)
        reader = asyncio.create_task(read_all(queue, job, after=3))
        work.finish()
        assert [event.id for event in await reader] == [4, 5, 6]

    async def test_data_is_copied_when_appended_and_when_read(
        self, queue: JobQueueService, user: uuid.UUID, work: Work
    ) -> None:
        """JOB-1: what one reader does to the data no other sees, nor what the writer does later."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        data = {"list": [1]}
        work.log.append("first", data)
        data["list"].append(2)
        [event] = await queue.poll(user, job.id)
        event.data["list"].append(3)
        assert event.data == {"list": [1]}
        work.finish()

    async def test_event_that_is_too_large_is_replaced_by_a_note(
        self, harness: JobQueueHarness, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-1, ALL-6: ``max_event_bytes``."""
        queue = await harness.queue(max_event_bytes=1024)
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("token", "x" * 1022)
        work.log.append("token", "x" * 1023)
        work.finish()
        fits, note, _ = await read_all(queue, job)
        assert fits.data == "x" * 1022
        assert note.data == {"truncated": True, "bytes": 1025, "limit": 1024}

    async def test_log_that_is_full_ends_the_job_with_an_error(
        self, harness: JobQueueHarness, user: uuid.UUID, read_all: ReadAll
    ) -> None:
        """JOB-1, ALL-6: ``max_events``; there is always room for the terminal event."""
        queue = await harness.queue(max_events=10)

        async def work(log: JobLog) -> None:
            while True:
                log.append("token", {})

        job = await queue.submit(user, work)
        events = await read_all(queue, job)
        assert len(events) == 11
        assert events[-1].type == "error"
        assert events[-1].data["code"] == "job_log_full"
        assert "BEDPLATE_JOB_QUEUE__MAX_EVENTS" in events[-1].data["error"]

    async def test_log_is_bounded_in_bytes(self, harness: JobQueueHarness, user: uuid.UUID, work: Work) -> None:
        """ALL-6: ``max_log_bytes``."""
        queue = await harness.queue(max_log_bytes=4096)
        await queue.submit(user, work)
        await work.begun.wait()
        for _ in range(3):
            work.log.append("token", "x" * 1000)
        with pytest.raises(JobLogFullError, match="MAX_LOG_BYTES"):
            work.log.append("token", "x" * 1000)
        work.finish()

    @pytest.mark.parametrize("data", [object(), {"key": object()}, {1j: 1}])
    async def test_data_that_is_not_json_is_refused(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, data: object
    ) -> None:
        """JOB-1: bad input is a typed error and loses nothing."""
        await queue.submit(user, work)
        await work.begun.wait()
        with pytest.raises(InvalidInputError, match="not JSON-like"):
            work.log.append("token", data)
        assert work.log.append("token", "good") == 1
        work.finish()

    async def test_half_a_surrogate_pair_does_not_stop_a_log(
        self, queue: JobQueueService, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-1: models cut emojis in two; the rest of the text is kept."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("token", {"chunk": ["a\ud83d", "\ud83d\ude00"]})
        work.finish()
        events = await read_all(queue, job)
        assert events[0].data == {"chunk": ["a\ufffd", "\U0001f600"]}

    async def test_large_logs_come_back_whole_from_the_database(
        self, queue: JobQueueService, harness: JobQueueHarness, user: uuid.UUID, work: Work, read_all: ReadAll
    ) -> None:
        """JOB-1: what was committed together is split into rows of bounded size, and read page by page."""
        job = await queue.submit(user, work)
        await work.begun.wait()
        for number in range(40):
            work.log.append("token", str(number) * 300_000)
        work.finish()
        live = await read_all(queue, job)
        assert await read_all(await harness.queue(), job) == live

    async def test_events_tell_their_time(self, queue: JobQueueService, user: uuid.UUID, work: Work) -> None:
        """JOB-1: each event has its time, in UTC."""
        begun = time.time()
        job = await queue.submit(user, work)
        await work.begun.wait()
        work.log.append("first")
        [event] = await queue.poll(user, job.id)
        assert begun <= event.created_at.timestamp() <= time.time()
        assert event.created_at.tzinfo is UTC
        work.finish()

    async def test_jobs_of_another_user_are_not_there(
        self,
        queue: JobQueueService,
        harness: JobQueueHarness,
        user: uuid.UUID,
        other: uuid.UUID,
        work: Work,
        read_all: ReadAll,
    ) -> None:
        """ALL-4: another user's job answers as one that does not exist, running here, elsewhere and finished."""
        job = await queue.submit(user, work)
        for seen_from in (queue, await harness.queue()):
            with pytest.raises(JobNotFoundError):
                await seen_from.get(other, job.id)
            with pytest.raises(JobNotFoundError):
                await anext(seen_from.events(other, job.id))
            with pytest.raises(JobNotFoundError):
                await seen_from.poll(other, job.id)
            with pytest.raises(JobNotFoundError):
                await seen_from.cancel(other, job.id)
            with pytest.raises(JobNotFoundError):
                await seen_from.cleanup(other, job.id)
            assert (await seen_from.list(other)).items == ()
            work.finish()
            await read_all(seen_from, job)
        assert (await queue.get(user, job.id)).status is JobStatus.SUCCEEDED
