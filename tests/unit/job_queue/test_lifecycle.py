"""JOB-1, JOB-2: submit, poll, cancel, timeouts, limits, stop, and what happens when the database fails."""

import asyncio
import contextlib
from contextvars import ContextVar

import pytest
from sqlalchemy.exc import IntegrityError

from bedplate.services.database.models import UserRow
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.engines.trace_context import TraceContext, continuing, current_context
from bedplate.services.errors import UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.job_queue import JobLog, JobStatus

_who: ContextVar[str] = ContextVar("who", default="nobody")
_secret: ContextVar[str | None] = ContextVar("secret", default=None)


async def test_work_runs_in_the_context_of_its_submitter(new_queue, user, other, read_all):
    """JOB-1, TRACE-1: one that waited for a place sees what its submitter had set, and nothing of the job before it."""
    queue = await new_queue(max_running=1)
    begun, release = asyncio.Event(), asyncio.Event()
    seen = {}

    def work(name: str):
        async def run(log: JobLog) -> None:
            seen[name] = _who.get(), _secret.get(), current_context()
            _secret.set(f"what the job of {name} set")
            begun.set()
            await release.wait()

        return run

    async def submit(owner, name: str, context: TraceContext):
        _who.set(name)
        if name == "ann":
            _secret.set("what ann had set")
        with continuing(context):
            job = await queue.submit(owner, work(name))
        _who.set(f"{name}, later")
        return job

    traces = [TraceContext.parse(f"00-{number:032x}-{number:016x}-01", "") for number in (1, 2, 3)]
    jobs = []
    for owner, name, trace in zip((user, other, other), ("ann", "bob", "eve"), traces, strict=True):
        jobs.append(await asyncio.create_task(submit(owner, name, trace)))
        await begun.wait()
    release.set()
    for job in jobs:
        assert [event.type for event in await read_all(queue, job)] == ["end"]
    assert seen == {
        "ann": ("ann", "what ann had set", traces[0]),
        "bob": ("bob", None, traces[1]),
        "eve": ("eve", None, traces[2]),
    }


async def test_work_that_does_not_heed_its_cancellation_is_given_up(new_queue, user, read_all, until):
    """JOB-1, JOB-2: the terminal event comes within ``cancel_timeout``; late events go nowhere."""
    queue = await new_queue(cancel_timeout=0.05)
    begun, release = asyncio.Event(), asyncio.Event()
    late: list[BaseException] = []

    async def work(log: JobLog) -> None:
        begun.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        try:
            log.append("token", {})
        except Exception as error:
            late.append(error)
            raise

    job = await queue.submit(user, work)
    await begun.wait()
    assert (await queue.cancel(user, job.id)).status is JobStatus.CANCELLED
    release.set()
    assert [event.type for event in await read_all(queue, job)] == ["cancelled"]
    await until(lambda: late)
    assert b"bedplate_job_queue_abandoned_total 1.0" in queue._telemetry.exposition()


@pytest.mark.parametrize("steps", range(12))
async def test_submit_that_is_cancelled_leaves_no_running_work(queue, user, steps, database):
    """JOB-1: a caller that goes away while its job is being stored leaves an ended job or none."""
    ran = asyncio.Event()

    async def work(log: JobLog) -> None:
        ran.set()
        await asyncio.Event().wait()

    submitting = asyncio.create_task(queue.submit(user, work))
    for _ in range(steps):
        await asyncio.sleep(0)
    submitting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        job = await submitting
        await queue.cancel(user, job.id)
    await queue.stop()
    assert not ran.is_set()
    assert {job.status for job in (await queue.list(user)).items} <= {JobStatus.CANCELLED}


@pytest.mark.parametrize("steps", range(0, 30, 3))
async def test_stop_that_is_cancelled_leaves_no_reader_waiting(new_queue, user, work, read_all, steps, until):
    """JOB-1: also a stop that is cut short ends every log."""
    before = asyncio.all_tasks()
    queue = await new_queue()
    job = await queue.submit(user, work)
    reader = asyncio.create_task(read_all(queue, job))
    await work.begun.wait()
    stopping = asyncio.create_task(queue.stop())
    for _ in range(steps):
        await asyncio.sleep(0)
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping
    await queue.stop()
    events = await asyncio.wait_for(reader, 10)
    assert events[-1].type == "error"
    await until(lambda: asyncio.all_tasks() == before)


async def test_events_stay_readable_while_the_database_is_down(new_queue, user, work, read_all, outage, until):
    """JOB-1: readers go on, commits are tried again, and all is stored in the end."""
    queue = await new_queue(commit_patience=60.0)
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    await queue.poll(user, job.id)
    outage.on = True
    for number in range(20):
        work.log.append("token", number)
    assert len(await queue.poll(user, job.id)) == 20
    await outage.failed.wait()

    async def degraded() -> bool:
        return (await queue.health()).status is HealthStatus.DEGRADED

    await until(degraded)
    with pytest.raises(UnavailableError, match="could not be stored"):
        await queue.submit(user, work)
    outage.on = False
    work.finish()
    live = await read_all(queue, job)
    assert [event.id for event in live] == list(range(1, 23))
    queue._jobs.clear()
    assert await read_all(queue, job) == live
    assert (await queue.health()).status is HealthStatus.UP


async def test_reader_is_told_when_the_end_cannot_be_stored(new_queue, user, work, read_all, outage, until):
    """JOB-1: the truth at the end of a job whose log could not be written; stored when the database is back."""
    queue = await new_queue(commit_patience=0.0)
    job = await queue.submit(user, work)
    await work.begun.wait()
    outage.on = True
    work.log.append("first")
    work.finish()
    live = await read_all(queue, job)
    assert [event.type for event in live] == ["first", "error"]
    assert live[-1].data["code"] == "not_archived"
    assert live[-1].data["outcome"] == "succeeded"
    assert (await queue.get(user, job.id)).status is JobStatus.FAILED
    outage.on = False
    await until(lambda: queue._jobs.get(job.id).log.archived)
    queue._jobs.clear()
    assert await read_all(queue, job) == live
    assert (await queue.get(user, job.id)).status is JobStatus.FAILED


async def test_stop_while_the_database_is_down_ends_readers(new_queue, user, work, read_all, outage):
    """JOB-1: a stop waits for no dead database."""
    queue = await new_queue()
    job = await queue.submit(user, work)
    reader = asyncio.create_task(read_all(queue, job))
    await work.begun.wait()
    outage.on = True
    await queue.stop()
    assert [event.data["code"] for event in await reader] == ["not_archived"]


async def test_user_who_is_deleted_meanwhile_harms_nobody_else(queue, user, other, make_work, read_all, database):
    """JOB-2: jobs that are deleted under the queue end, and all others are stored."""
    lost, kept = make_work(), make_work()
    gone = await queue.submit(other, lost)
    job = await queue.submit(user, kept)
    await asyncio.gather(lost.begun.wait(), kept.begun.wait())
    reader = asyncio.create_task(read_all(queue, gone))
    async with database.transaction() as session:
        await session.delete(await session.get(UserRow, other))
    lost.log.append("token", 1)
    kept.log.append("token", 1)
    assert (await reader)[-1].data["code"] == "deleted"
    kept.finish()
    live = await read_all(queue, job)
    assert [event.type for event in live] == ["token", "end"]
    queue._jobs.clear()
    assert await read_all(queue, job) == live


async def test_job_whose_events_the_database_refuses_harms_no_other(new_queue, user, make_work, read_all, monkeypatch):
    """JOB-2: what the database will not take ends its own job with the truth; all others are stored."""
    queue = await new_queue()
    bad, good = make_work(), make_work()
    refused, job = await queue.submit(user, bad), await queue.submit(user, good)
    await asyncio.gather(bad.begun.wait(), good.begun.wait())
    real = JobRepository.insert_events

    async def insert(self, rows):
        if any(row["job_id"] == refused.id for row in rows):
            raise IntegrityError("INSERT", {}, Exception("refused"))
        await real(self, rows)

    monkeypatch.setattr(JobRepository, "insert_events", insert)
    reader = asyncio.create_task(read_all(queue, refused))
    bad.log.append("token", 1)
    good.log.append("token", 1)
    assert (await reader)[-1].data["code"] == "not_archived"
    good.finish()
    assert [event.type for event in await read_all(queue, job)] == ["token", "end"]


async def test_commit_whose_answer_was_lost_is_not_written_twice(new_queue, user, work, read_all, monkeypatch):
    """JOB-1: the transaction came through, the connection broke; no event is lost or doubled."""
    queue = await new_queue()
    job = await queue.submit(user, work)
    await work.begun.wait()
    write = queue._archive._write
    lost = []

    async def break_once(batch):
        if batch and not lost:
            events = [change.live.log.committed for change in batch]
            await write(batch)
            for change, committed in zip(batch, events, strict=True):
                change.live.log.committed = committed
            lost.append(True)
            raise OSError("the connection broke")
        await write(batch)

    monkeypatch.setattr(queue._archive, "_write", break_once)
    for number in range(3):
        work.log.append("token", number)
    await queue.poll(user, job.id)
    work.finish()
    live = await read_all(queue, job)
    assert [event.id for event in live] == [1, 2, 3, 4]
    assert lost
    queue._jobs.clear()
    assert await read_all(queue, job) == live
