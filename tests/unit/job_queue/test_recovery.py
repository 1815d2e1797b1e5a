"""JOB-1, JOB-3: leases, what happens to the jobs of dead processes, and retention."""

import asyncio
import signal
import sys
import textwrap
import uuid
from datetime import timedelta

import pytest

from bedplate.containers.application import ApplicationContainer
from bedplate.services.database.models import InstanceRow, JobRow, utc_now
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.errors import UnavailableError
from bedplate.services.job_queue import JobElsewhereError, JobNotFoundError, JobStatus
from bedplate.services.job_queue.recovery import end_orphans


async def die(queue) -> None:
    """End a queue as ``kill -9`` would: nothing more is written or told, the lease stays as it is."""
    archive = queue._archive
    archive._heartbeat.cancel()
    archive._task.cancel()
    queue._maintenance.cancel()
    await asyncio.wait([archive._task, queue._maintenance])
    queue._started = False


async def expire_lease(database, queue) -> None:
    async with database.transaction() as session:
        await JobRepository(session).renew_lease(queue._archive.instance_id, utc_now() - timedelta(seconds=1))


async def test_jobs_of_an_expired_lease_are_interrupted_and_their_readers_told(
    new_queue, user, make_work, database, read_all
):
    """JOB-3: a job whose process died ends with one error event, for readers that wait as for later ones."""
    dead = await new_queue()
    work, done = make_work(), make_work()
    job, finished = await dead.submit(user, work), await dead.submit(user, done)
    await asyncio.gather(work.begun.wait(), done.begun.wait())
    work.log.append("token", 1)
    done.finish()
    await read_all(dead, finished)
    await dead.poll(user, job.id)
    await die(dead)
    alive = await new_queue(lease_ttl=0.1)
    waiting = asyncio.create_task(read_all(alive, job))
    await expire_lease(database, dead)
    events = await waiting
    assert [event.type for event in events] == ["token", "error"]
    assert events[-1].data["code"] == "interrupted"
    assert await read_all(alive, job, after=1) == events[1:]
    assert (await alive.get(user, job.id)).status is JobStatus.INTERRUPTED
    assert [event.type for event in await read_all(alive, finished)] == ["end"]
    work.finish()


async def test_no_id_is_used_twice_after_a_crash(new_queue, user, work, database, read_all):
    """JOB-1: a reader may have seen events that were never committed; what comes after has greater ids."""
    dead = await new_queue(commit_interval=60.0)
    job = await dead.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    await dead.poll(user, job.id)
    for number in range(50):
        work.log.append("token", number)
    seen = [event.id for event in await dead.poll(user, job.id, after=0)]
    await die(dead)
    await expire_lease(database, dead)
    alive = await new_queue()
    events = await read_all(alive, job)
    assert [event.type for event in events] == ["first", "error"]
    assert events[-1].id > max(seen)
    assert await read_all(alive, job, after=max(seen)) == events[-1:]
    work.finish()


async def test_jobs_of_a_living_process_are_left_alone(new_queue, user, work, read_all):
    """JOB-3: only expired leases; a second process starts, recovers and stops beside the first."""
    first = await new_queue(lease_ttl=5.0)
    job = await first.submit(user, work)
    second = await new_queue(lease_ttl=0.05)
    reader = asyncio.create_task(read_all(second, job))
    await work.begun.wait()
    work.log.append("token", 1)
    assert [event.type for event in await second.poll(user, job.id)] == ["token"]
    with pytest.raises(JobElsewhereError):
        await second.cancel(user, job.id)
    with pytest.raises(JobElsewhereError):
        await second.cleanup(user, job.id)
    work.finish()
    assert [event.type for event in await reader] == ["token", "end"]
    assert (await second.cancel(user, job.id)).status is JobStatus.SUCCEEDED


async def test_lease_is_kept_while_nothing_happens(new_queue, database, until):
    """JOB-3: a heartbeat renews the lease of an idle process."""
    queue = await new_queue(lease_ttl=0.3)

    async def expires_at():
        async with database.session() as session:
            return (await session.get(InstanceRow, queue._archive.instance_id)).lease_expires_at

    begun = await expires_at()

    async def renewed() -> bool:
        return await expires_at() > begun

    await until(renewed)


async def test_process_that_is_late_does_not_take_itself_for_dead(new_queue, user, work, database, read_all):
    """JOB-3: after a stall of the event loop, maintenance leaves its own process alone."""
    queue = await new_queue(lease_ttl=0.06)
    job = await queue.submit(user, work)
    await work.begun.wait()
    instance_id = queue._archive.instance_id
    await expire_lease(database, queue)
    await end_orphans(database, instance_id)
    work.finish()
    assert [event.type for event in await read_all(queue, job)] == ["end"]
    assert queue._archive.instance_id == instance_id


async def test_stop_gives_the_lease_back(new_queue, database):
    """JOB-3: a process that stops leaves no instance behind."""
    queue = await new_queue()
    instance_id = queue._archive.instance_id
    await queue.stop()
    async with database.session() as session:
        assert await session.get(InstanceRow, instance_id) is None


async def test_process_that_was_taken_for_dead_writes_nothing_more(new_queue, user, make_work, database, read_all):
    """JOB-1, JOB-3: exactly one terminal event, also when the dead come back; they start anew."""
    queue = await new_queue(commit_interval=60.0)
    work = make_work()
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    await queue.poll(user, job.id)
    work.log.append("never committed")
    reader = asyncio.create_task(read_all(queue, job))
    await expire_lease(database, queue)
    other = await new_queue()
    stored = await read_all(other, job)
    work.log.append("end", {})
    events = await reader
    assert [event.type for event in events] == ["first", "never committed", "error"]
    assert events[-1].id == stored[-1].id
    assert events[-1].data == stored[-1].data
    assert (await queue.get(user, job.id)).status is JobStatus.INTERRUPTED
    assert await read_all(other, job) == stored
    again = make_work()
    job = await queue.submit(user, again)
    again.finish()
    assert [event.type for event in await read_all(queue, job)] == ["end"]


async def test_work_is_cancelled_when_the_lease_is_lost(new_queue, user, work, database, until):
    """JOB-3: what others have marked as interrupted does not go on in secret."""
    queue = await new_queue(lease_ttl=30.0)
    await queue.submit(user, work)
    await work.begun.wait()
    await expire_lease(database, queue)
    await new_queue()
    work.log.append("token", 1)
    await until(lambda: work.cancelled)


async def test_a_partial_boot_recovers_nothing(settings, new_queue, user, work, database):
    """JOB-3: neither a boot without the job queue nor one that only looks marks jobs as interrupted."""
    dead = await new_queue()
    job = await dead.submit(user, work)
    await work.begun.wait()
    await die(dead)
    await expire_lease(database, dead)
    container = ApplicationContainer()
    with container.settings.override(settings):
        async with container.running(container.database):
            pass
    looking = await new_queue(recover=False, lease_ttl=0.03)
    assert (await looking.get(user, job.id)).status is JobStatus.RUNNING
    async with database.session() as session:
        assert await session.get(InstanceRow, looking._archive.instance_id) is None
    work.finish()


async def test_queue_that_does_not_recover_can_still_run_jobs(new_queue, user, work, read_all):
    """JOB-3: it takes its lease with its first job."""
    queue = await new_queue(recover=False)
    job = await queue.submit(user, work)
    work.finish()
    assert [event.type for event in await read_all(queue, job)] == ["end"]


async def test_a_job_that_was_refused_is_not_there(new_queue, user, work, outage, until):
    """JOB-1: also if it was stored and the answer lost: nobody would ever run it, end it or be able to delete it."""
    queue = await new_queue()
    outage.mute = True
    with pytest.raises(UnavailableError, match="could not be stored"):
        await queue.submit(user, work)
    outage.mute = False

    async def gone() -> bool:
        return not (await queue.list(user)).items

    await until(gone)
    assert not work.begun.is_set()


async def test_a_registration_whose_answer_was_lost_is_one(new_queue, user, work, database, outage, read_all):
    """JOB-3: a process that got a new lease and does not know it takes jobs nevertheless."""
    queue, other = await new_queue(), await new_queue()
    await expire_lease(database, queue)
    await end_orphans(database, other._archive.instance_id)
    outage.mute = True
    queue._archive._due.set()
    await outage.failed.wait()
    outage.mute = False
    work.finish()
    assert [event.type for event in await read_all(queue, await queue.submit(user, work))] == ["end"]


async def test_maintenance_survives_a_failing_database(new_queue, user, work, database, outage, until):
    """Prior defect: the sweeper died at the first error and never came back."""
    dead = await new_queue()
    job = await dead.submit(user, work)
    await work.begun.wait()
    await die(dead)
    alive = await new_queue(lease_ttl=0.05)
    outage.on = True
    await outage.failed.wait()
    outage.on = False
    await expire_lease(database, dead)

    async def interrupted() -> bool:
        return (await alive.get(user, job.id)).status is JobStatus.INTERRUPTED

    await until(interrupted)
    work.finish()


async def test_old_jobs_are_deleted_with_their_logs(new_queue, user, make_work, database, read_all):
    """JOB-3: retention; unfinished and young jobs stay."""
    queue = await new_queue()
    old, young = make_work(), make_work()
    jobs = [await queue.submit(user, work) for work in (old, young)]
    for work, job in zip((old, young), jobs, strict=True):
        work.finish()
        await read_all(queue, job)
    async with database.transaction() as session:
        row = await session.get(JobRow, jobs[0].id)
        row.finished_at = utc_now() - timedelta(days=8)
    await queue.stop()
    other = await new_queue()
    assert await other.delete_old() == 1
    assert [job.id for job in (await other.list(user)).items] == [jobs[1].id]
    with pytest.raises(JobNotFoundError):
        await anext(other.events(user, jobs[0].id))
    async with database.session() as session:
        assert await JobRepository(session).events(jobs[0].id, 0, 10) == []


_PROCESS = """
import asyncio, sys, uuid
from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.job_queue import JobQueueService
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry.factory import build_telemetry

async def main(data_dir, user_id):
    settings = SettingsService(
        data_dir=data_dir,
        secret_key="a-secret-key-of-the-tests-0123456789abcdef",
        job_queue={"commit_interval": 0.02, "lease_ttl": 1.0},
    )
    telemetry = build_telemetry(settings, Redactor(settings))
    database = build_database(settings, telemetry)
    await database.start()
    queue = JobQueueService(settings, telemetry, database)
    await queue.start()

    async def work(log):
        number = 0
        while True:
            number += 1
            log.append("token", {"chunk": str(number)})
            await asyncio.sleep(0.001)

    job = await queue.submit(user_id, work)
    print(job.id, flush=True)
    async for event in queue.events(user_id, job.id):
        print(event.id, flush=True)

asyncio.run(main(sys.argv[1], uuid.UUID(sys.argv[2])))
"""


@pytest.mark.slow
async def test_kill_9_loses_only_what_was_not_committed(settings, database, new_queue, user, read_all):
    """JOB-1, JOB-3: a real process is killed; the next one tells its readers, and repeats no id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(_PROCESS),
        str(settings.values.data_dir),
        str(user),
        stdout=asyncio.subprocess.PIPE,
    )
    job_id = uuid.UUID((await process.stdout.readline()).decode().strip())
    seen = 0
    while seen < 100:
        seen = int(await process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = (await process.stdout.read()).split(b"\n")
    seen = max([seen, *(int(line) for line in rest[:-1])])
    await process.wait()
    queue = await new_queue(lease_ttl=0.5)
    job = await queue.get(user, job_id)
    events = await read_all(queue, job)
    tokens, last = events[:-1], events[-1]
    assert [event.id for event in tokens] == list(range(1, len(tokens) + 1))
    assert [event.data["chunk"] for event in tokens] == [str(event.id) for event in tokens]
    assert tokens
    assert (last.type, last.data["code"]) == ("error", "interrupted")
    assert last.id > seen
    assert (await queue.get(user, job_id)).status is JobStatus.INTERRUPTED
