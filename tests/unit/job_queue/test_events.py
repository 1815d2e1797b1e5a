"""JOB-1: the event log and its readers."""

import asyncio

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.job_queue import (
    JobLog,
    JobLogFullError,
)


async def ten_tokens(log: JobLog) -> None:
    for number in range(10):
        log.append("token", {"chunk": f"word {number} "})
        await asyncio.sleep(0)


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
            return await JobRepository(session).progress([job.id]) == {job.id: ("running", 11)}

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
        assert await JobRepository(session).progress([job.id]) == {job.id: ("succeeded", 2)}


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


async def test_events_that_are_too_large_are_counted(new_queue, user, work):
    """ALL-6: each drop is a counter."""
    queue = await new_queue(max_event_bytes=1024)
    await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("token", "x" * 2000)
    work.finish()
    assert b"bedplate_job_queue_events_truncated_total 1.0" in queue._telemetry.exposition()
