"""JOB-3: a process that is about to stop."""

import asyncio
import uuid

import pytest
from tests.unit.job_queue.conftest import NewQueue

from bedplate.services.job_queue import JobQueueDrainingError, JobStatus
from bedplate.wiring.testing.job_queue import Work


async def test_jobs_may_end_and_no_new_ones_begin(new_queue: NewQueue, user: uuid.UUID) -> None:
    """JOB-3: those that wait for a place as well; it returns when the last has."""
    queue = await new_queue(max_running=1)
    running, waiting = Work(), Work()
    jobs = [await queue.submit(user, work) for work in (running, waiting)]
    await running.begun.wait()
    draining = asyncio.ensure_future(queue.drain(3600.0))
    await asyncio.sleep(0)  # its first step
    with pytest.raises(JobQueueDrainingError) as refused:
        await queue.submit(user, Work())
    assert refused.value.retry_after == 1.0
    assert not draining.done()
    running.finish()
    await waiting.begun.wait()
    waiting.finish()
    await draining
    assert {(await queue.get(user, job.id)).status for job in jobs} == {JobStatus.SUCCEEDED}
    await queue.stop()
    await queue.start()
    again = Work()
    await queue.submit(user, again)
    await again.begun.wait()


async def test_what_takes_too_long_is_ended_while_its_readers_are_there(new_queue: NewQueue, user: uuid.UUID) -> None:
    """JOB-3: they get a terminal event that says why."""
    queue = await new_queue()
    endless = Work()
    job = await queue.submit(user, endless)
    events = queue.events(user, job.id)
    await endless.begun.wait()
    await queue.drain(0.0)
    assert endless.cancelled
    last = [event async for event in events][-1]
    assert (last.type, last.data["code"]) == ("error", "interrupted")
    assert (await queue.get(user, job.id)).status is JobStatus.INTERRUPTED


async def test_nothing_to_wait_for(new_queue: NewQueue, user: uuid.UUID) -> None:
    """JOB-3: returns at once, and may be called twice."""
    queue = await new_queue()
    work = Work()
    await queue.submit(user, work)
    work.finish()
    await queue.drain(3600.0)
    await queue.drain(3600.0)
