"""JOB-1, JOB-3: thousands of jobs at once, and nothing left behind."""

import asyncio
import gc

import pytest

from bedplate.services.job_queue import JobLog, JobStatus
from bedplate.services.job_queue.deadlines import Deadlines
from bedplate.services.job_queue.live import LiveJob
from bedplate.services.job_queue.log import EventLog

JOBS = 2_000


async def _endless(log: JobLog) -> None:
    log.append("token", "x")
    await asyncio.Event().wait()


async def _brief(log: JobLog) -> None:
    log.append("token", "x")


def _timers() -> int:
    """Timers that the event loop keeps, cancelled ones included."""
    return len(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]


@pytest.mark.parametrize("work", [_endless, _brief])
async def test_nothing_is_left_behind(work, new_queue, user, database):
    """JOB-1, JOB-3: neither tasks nor timers nor memory, after all have been cancelled or have ended."""
    queue = await new_queue(keep_finished=0.0, max_running=JOBS // 2)
    tasks, timers = asyncio.all_tasks(), _timers()
    started = await asyncio.gather(*(queue.submit(user, work) for _ in range(JOBS)))
    ended = await asyncio.gather(*(queue.cancel(user, job.id) for job in started))
    assert {job.status for job in ended} <= {JobStatus.CANCELLED, JobStatus.SUCCEEDED}
    assert asyncio.all_tasks() == tasks
    assert _timers() <= timers + 150  # cancelled ones of shared hundredths of a second, not one for each job
    queue._jobs.sweep()
    supervisor = queue._supervisor
    for kept in (queue._jobs, queue._patience, supervisor._timeouts, supervisor._last_chances):
        assert len(kept) == 0
    for held in (supervisor._unfinished, supervisor._placed, supervisor._waiting, supervisor._tasks):
        assert not held
    assert queue._jobs.memory.used == 0
    del held
    gc.collect()
    ids = {job.id for job in started}
    objects = gc.get_objects()
    assert not [one for one in objects if isinstance(one, LiveJob) and one.id in ids]
    assert not [one for one in objects if isinstance(one, EventLog) and one.job_id in ids]
    page = await queue.list(user, limit=500)
    assert {job.status for job in page.items} <= {JobStatus.CANCELLED, JobStatus.SUCCEEDED}
    statuses = {job.status for job in ended}
    exposition = queue._telemetry.exposition().decode()
    assert "bedplate_job_queue_running 0.0" in exposition
    counted = [exposition.partition(f'bedplate_job_queue_jobs_total{{status="{one}"}} ')[2] for one in statuses]
    assert sum(float(text.split()[0]) for text in counted) == JOBS


async def test_a_job_that_was_given_up_leaves_no_timer(new_queue, user):
    """JOB-2: it holds nothing but its own task."""
    queue = await new_queue(cancel_timeout=0.01)
    release, deaf = asyncio.Event(), asyncio.Event()

    async def work(_log: JobLog) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                deaf.set()

    job = await queue.submit(user, work)
    await asyncio.sleep(0)
    assert (await queue.cancel(user, job.id)).status is JobStatus.CANCELLED
    assert deaf.is_set()
    supervisor = queue._supervisor
    assert (len(supervisor._timeouts), len(supervisor._last_chances), len(supervisor._placed)) == (0, 0, 0)
    release.set()
    await asyncio.wait(list(supervisor._tasks))


async def test_things_of_one_moment_share_a_timer():
    """ALL-6: their time comes once, never early; those that are discarded have none."""
    loop = asyncio.get_running_loop()
    come: list[tuple[int, float]] = []
    all_come = asyncio.Event()

    def act(thing: int) -> None:
        come.append((thing, loop.time()))
        deadlines.discard(thing + 1)  # what is due at the same moment, and may still be discarded
        if thing == 100:
            all_come.set()

    deadlines: Deadlines[int] = Deadlines(act)
    before = _timers()
    start = loop.time()
    for thing in range(0, 100, 2):
        deadlines.add(thing, start + 0.02)
    for thing in range(1, 100, 2):
        deadlines.add(thing, start + 3600)
    deadlines.add(100, start + 0.05)
    assert _timers() <= before + 3
    await all_come.wait()
    assert sorted(thing for thing, _ in come) == list(range(0, 101, 2))
    assert all(when >= start + (0.05 if thing == 100 else 0.02) - 1e-6 for thing, when in come)
    assert len(deadlines) == 0
    deadlines.discard(7)
