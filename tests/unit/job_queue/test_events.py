"""JOB-1: the event log and its readers."""

import asyncio
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.errors import InvalidInputError
from bedplate.services.job_queue import (
    TERMINAL_EVENTS,
    JobFinishedError,
    JobLog,
    JobLogFullError,
    JobNotFoundError,
    JobStatus,
)


async def ten_tokens(log: JobLog) -> None:
    for number in range(10):
        log.append("token", {"chunk": f"word {number} "})
        await asyncio.sleep(0)


async def test_events_have_increasing_ids_and_end_with_one_terminal_event(queue, user, read_all):
    """JOB-1: increasing ids, and a terminal event exactly once."""
    job = await queue.submit(user, ten_tokens)
    events = await read_all(queue, job)
    assert [event.id for event in events] == list(range(1, 12))
    assert [event.type for event in events] == ["token"] * 10 + ["end"]
    assert (await queue.get(user, job.id)).status is JobStatus.SUCCEEDED


async def test_reader_sees_an_event_before_it_is_in_the_database(new_queue, user, work, database):
    """JOB-1: readers see an event at once, the database within the commit interval."""
    queue = await new_queue(commit_interval=60.0)
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("build_start", {})
    reader = queue.events(user, job.id)
    await anext(reader)
    work.log.append("token", {"chunk": "a"})
    assert (await anext(reader)).data == {"chunk": "a"}
    async with database.session() as session:
        rows = await JobRepository(session).events(job.id, 0, 10)
    assert [row.seq for row in rows] == [1]
    work.finish()
    assert [event.type async for event in reader] == ["end"]


async def test_commit_follows_after_so_many_events(new_queue, user, work, database, until):
    """JOB-1: committed after ``commit_events`` however long the interval is."""
    queue = await new_queue(commit_interval=60.0, commit_events=5)
    job = await queue.submit(user, work)
    await work.begun.wait()
    for number in range(11):
        work.log.append("token", {"chunk": str(number)})

    async def committed() -> bool:
        async with database.session() as session:
            return await JobRepository(session).progress(job.id) == ("running", 11)

    await until(committed)
    work.finish()


async def test_first_event_is_committed_before_it_is_announced(new_queue, user, work, outage, database):
    """JOB-1: nobody sees the first event before it is in the database."""
    queue = await new_queue(commit_patience=60.0)
    job = await queue.submit(user, work)
    await work.begun.wait()
    outage.on = True
    work.log.append("build_start", {})
    await outage.failed.wait()
    assert await queue.poll(user, job.id, timeout=0.05) == ()
    outage.on = False
    reader = queue.events(user, job.id)
    assert (await anext(reader)).id == 1
    async with database.session() as session:
        assert len(await JobRepository(session).events(job.id, 0, 10)) == 1
    work.finish()
    await reader.aclose()


async def test_terminal_event_is_committed_before_it_is_announced(new_queue, user, work, outage, database):
    """JOB-1: nobody sees the terminal event before it is in the database."""
    queue = await new_queue(commit_patience=60.0)
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("build_start", {})
    assert [event.id for event in await queue.poll(user, job.id)] == [1]
    outage.on = True
    work.finish()
    await outage.failed.wait()
    assert await queue.poll(user, job.id, timeout=0.05) == ()
    outage.on = False
    assert [event.type for event in await queue.poll(user, job.id)] == ["end"]
    async with database.session() as session:
        assert await JobRepository(session).progress(job.id) == ("succeeded", 2)


@pytest.mark.parametrize("kind", sorted(TERMINAL_EVENTS))
async def test_work_may_close_its_log_itself(queue, user, read_all, kind):
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


async def test_failure_of_the_work_is_an_error_event_without_its_text(queue, user, read_all):
    """JOB-1: a terminal event after a crash of the work; ALL-3: no foreign error text in it."""

    async def work(log: JobLog) -> None:
        raise RuntimeError("password=hunter2")

    job = await queue.submit(user, work)
    [event] = await read_all(queue, job)
    assert event.type == "error"
    assert event.data == {"code": "job_failed", "error": "The job failed: RuntimeError."}
    job = await queue.get(user, job.id)
    assert (job.status, job.error) == (JobStatus.FAILED, "The job failed: RuntimeError.")


async def test_work_that_cannot_even_be_called_ends_with_an_error(queue, user, read_all):
    """JOB-1: a terminal event whatever is submitted."""

    def work(log: JobLog) -> None:
        raise ValueError

    job = await queue.submit(user, work)
    assert [event.type for event in await read_all(queue, job)] == ["error"]


async def test_reader_gets_the_same_from_memory_and_from_the_database(queue, user, read_all):
    """JOB-1: replay, live from memory and later from the database."""
    job = await queue.submit(user, ten_tokens)
    live = await read_all(queue, job)
    queue._jobs.clear()
    assert await read_all(queue, job) == live
    assert await read_all(queue, job, after=4) == live[4:]
    assert await read_all(queue, job, after=11) == []


async def test_reader_on_its_way_comes_to_the_end_when_the_log_leaves_memory(queue, user, work, read_all):
    """JOB-1: eviction does not cut readers off."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("a", 1)
    work.log.append("b", 2)
    reader = queue.events(user, job.id)
    assert (await anext(reader)).type == "a"
    work.finish()
    await read_all(queue, job)
    queue._jobs.clear()
    assert [event.type async for event in reader] == ["b", "end"]


async def test_no_reader_harms_another_or_the_writer(queue, user, work, read_all):
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


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bursts=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    starts=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 8)), min_size=1, max_size=12),
)
async def test_any_number_of_readers_from_any_id_see_each_event_once(queue, user, read_all, bursts, starts):
    """JOB-1: any number of readers, from any id, joining at any time: no gap, nothing twice."""
    step = asyncio.Condition()
    reached = 0

    async def work(log: JobLog) -> None:
        nonlocal reached
        for burst in bursts:
            for number in range(burst):
                log.append("token", number)
            async with step:
                reached += 1
                step.notify_all()
            await asyncio.sleep(0)

    async def reader(after: int, join_at: int) -> list[int]:
        async with step:
            await step.wait_for(lambda: reached >= min(join_at, len(bursts)))
        return [event.id for event in await read_all(queue, job, after)]

    job = await queue.submit(user, work)
    seen = await asyncio.gather(*(reader(after, join_at) for after, join_at in starts))
    total = sum(bursts) + 1
    assert seen == [list(range(after + 1, total + 1)) for after, _ in starts]
    queue._jobs.clear()
    assert [event.id for event in await read_all(queue, job)] == list(range(1, total + 1))


async def test_reader_from_the_middle_gets_what_follows(queue, user, work, read_all):
    """JOB-1: ``Last-Event-ID`` of a running job."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    for number in range(5):
        work.log.append("token", number)
    reader = asyncio.create_task(read_all(queue, job, after=3))
    work.finish()
    assert [event.id for event in await reader] == [4, 5, 6]


async def test_data_is_copied_when_appended_and_when_read(queue, user, work):
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


async def test_event_that_is_too_large_is_replaced_by_a_note_and_counted(new_queue, user, work, read_all):
    """JOB-1, ALL-6: ``max_event_bytes``."""
    queue = await new_queue(max_event_bytes=1024)
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("token", "x" * 1022)
    work.log.append("token", "x" * 1023)
    work.finish()
    fits, note, _ = await read_all(queue, job)
    assert fits.data == "x" * 1022
    assert note.data == {"truncated": True, "bytes": 1025, "limit": 1024}
    assert b"bedplate_job_queue_events_truncated_total 1.0" in queue._telemetry.exposition()


async def test_log_that_is_full_ends_the_job_with_an_error(new_queue, user, read_all):
    """JOB-1, ALL-6: ``max_events``; there is always room for the terminal event."""
    queue = await new_queue(max_events=10)

    async def work(log: JobLog) -> None:
        while True:
            log.append("token", {})

    job = await queue.submit(user, work)
    events = await read_all(queue, job)
    assert len(events) == 11
    assert events[-1].type == "error"
    assert events[-1].data["code"] == "job_log_full"
    assert "BEDPLATE_JOB_QUEUE__MAX_EVENTS" in events[-1].data["error"]


async def test_log_is_bounded_in_bytes(new_queue, user, work):
    """ALL-6: ``max_log_bytes``."""
    queue = await new_queue(max_log_bytes=4096)
    await queue.submit(user, work)
    await work.begun.wait()
    for _ in range(3):
        work.log.append("token", "x" * 1000)
    with pytest.raises(JobLogFullError, match="MAX_LOG_BYTES"):
        work.log.append("token", "x" * 1000)
    work.finish()


async def test_finished_logs_leave_memory_when_room_is_needed(new_queue, user, make_work, read_all):
    """ALL-6: ``max_memory_bytes``; what leaves memory is still read from the database."""
    queue = await new_queue(max_memory_bytes=8192)
    jobs = []
    for _ in range(6):
        work = make_work()
        jobs.append(await queue.submit(user, work))
        await work.begun.wait()
        work.log.append("token", "x" * 3000)
        work.finish()
        await read_all(queue, jobs[-1])
    assert len(queue._jobs) < 6
    assert queue._jobs.memory.used <= 8192
    for job in jobs:
        assert [event.type for event in await read_all(queue, job)] == ["token", "end"]


async def test_running_logs_never_leave_memory_for_others(new_queue, user, make_work):
    """ALL-6: when running jobs fill the memory, the one that wants more is refused, not another one harmed."""
    queue = await new_queue(max_memory_bytes=8192)
    first, second = make_work(), make_work()
    job = await queue.submit(user, first)
    await queue.submit(user, second)
    await asyncio.gather(first.begun.wait(), second.begun.wait())
    first.log.append("token", "x" * 6000)
    with pytest.raises(JobLogFullError, match="MAX_MEMORY_BYTES"):
        second.log.append("token", "x" * 6000)
    assert len(await queue.poll(user, job.id)) == 1
    first.finish()
    second.finish()


async def test_finished_log_leaves_memory_after_a_while(new_queue, user, read_all, until):
    """JOB-1: memory while running and ``keep_finished`` after, then the database."""
    queue = await new_queue(keep_finished=0.0, lease_ttl=0.06)
    job = await queue.submit(user, ten_tokens)
    live = await read_all(queue, job)
    await until(lambda: len(queue._jobs) == 0)
    assert await read_all(queue, job) == live
    assert (await queue.get(user, job.id)).last_event_id == 11


@pytest.mark.parametrize("data", [object(), {"key": object()}, {1j: 1}])
async def test_data_that_is_not_json_is_refused(queue, user, work, data):
    """JOB-1: bad input is a typed error and loses nothing."""
    await queue.submit(user, work)
    await work.begun.wait()
    with pytest.raises(InvalidInputError, match="not JSON-like"):
        work.log.append("token", data)
    assert work.log.append("token", "good") == 1
    work.finish()


async def test_half_a_surrogate_pair_does_not_stop_a_log(queue, user, work, read_all):
    """JOB-1: models cut emojis in two; the rest of the text is kept."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("token", {"chunk": ["a\ud83d", "\ud83d\ude00"]})
    work.finish()
    events = await read_all(queue, job)
    assert events[0].data == {"chunk": ["a\ufffd", "\U0001f600"]}


async def test_large_logs_come_back_whole_from_the_database(queue, user, work, read_all):
    """JOB-1: what was committed together is split into rows of bounded size, and read page by page."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    for number in range(40):
        work.log.append("token", str(number) * 300_000)
    work.finish()
    live = await read_all(queue, job)
    queue._jobs.clear()
    assert await read_all(queue, job) == live


async def test_events_tell_their_time(queue, user, work):
    """JOB-1: each event has its time, in UTC."""
    begun = time.time()
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    [event] = await queue.poll(user, job.id)
    assert begun <= event.created_at.timestamp() <= time.time()
    assert event.created_at.utcoffset().total_seconds() == 0
    work.finish()


async def test_jobs_of_another_user_are_not_there(queue, user, other, work):
    """ALL-4: another user's job answers as one that does not exist, in memory and in the database."""
    job = await queue.submit(user, work)
    for _ in range(2):
        with pytest.raises(JobNotFoundError):
            await queue.get(other, job.id)
        with pytest.raises(JobNotFoundError):
            await anext(queue.events(other, job.id))
        with pytest.raises(JobNotFoundError):
            await queue.poll(other, job.id)
        with pytest.raises(JobNotFoundError):
            await queue.cancel(other, job.id)
        with pytest.raises(JobNotFoundError):
            await queue.cleanup(other, job.id)
        assert (await queue.list(other)).items == ()
        work.finish()
        await queue._jobs.get(job.id).log.wait_done() if queue._jobs.get(job.id) else None
        queue._jobs.clear()
    assert (await queue.get(user, job.id)).status is JobStatus.SUCCEEDED
