"""JOB-1, JOB-2: submit, poll, cancel, timeouts, limits, stop, and what happens when the database fails."""

import asyncio
import contextlib
import uuid

import pytest

from bedplate.services.database.models import UserRow
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.errors import InvalidInputError, NotFoundError, UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.job_queue import JobLog, JobNotFoundError, JobStatus, TooManyJobsError


async def test_cancel_is_confirmed_and_never_raises_into_the_caller(queue, user, work, read_all):
    """JOB-2, prior defect: cleaning a running job raised CancelledError and left it registered."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    cancelled = await queue.cancel(user, job.id)
    assert cancelled.status is JobStatus.CANCELLED
    assert work.cancelled
    assert [event.type for event in await read_all(queue, job)] == ["cancelled"]


async def test_cancel_may_be_repeated(queue, user, work, read_all):
    """JOB-2: cancelling twice, at once and after, is a success and one event."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    both = await asyncio.gather(queue.cancel(user, job.id), queue.cancel(user, job.id))
    assert {result.status for result in [*both, await queue.cancel(user, job.id)]} == {JobStatus.CANCELLED}
    queue._jobs.clear()
    assert (await queue.cancel(user, job.id)).status is JobStatus.CANCELLED
    assert len(await read_all(queue, job)) == 1


async def test_cancel_of_a_finished_job_is_a_success(queue, user, work, read_all):
    """JOB-2: as in the contract."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.finish()
    await read_all(queue, job)
    assert (await queue.cancel(user, job.id)).status is JobStatus.SUCCEEDED


async def test_cancelled_work_may_tidy_up_and_write(queue, user, read_all):
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


@pytest.mark.parametrize("steps", range(8))
async def test_cancel_at_any_moment_gives_one_terminal_event(queue, user, read_all, steps):
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
    queue._jobs.clear()
    assert await read_all(queue, job) == events


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


async def test_job_that_takes_too_long_ends_with_an_error(queue, user, work, read_all):
    """JOB-2: timeouts."""
    job = await queue.submit(user, work, timeout=0.02)
    [event] = await read_all(queue, job)
    assert (event.type, event.data["code"]) == ("error", "timeout")
    assert work.cancelled
    assert (await queue.get(user, job.id)).status is JobStatus.FAILED


async def test_timeout_must_be_positive(queue, user, work):
    """JOB-2: bad input is a typed error."""
    with pytest.raises(InvalidInputError):
        await queue.submit(user, work, timeout=0)


async def test_work_that_cancels_itself_has_failed(queue, user, read_all):
    """JOB-1: nobody cancelled the job, so it is not called cancelled."""

    async def work(log: JobLog) -> None:
        raise asyncio.CancelledError

    job = await queue.submit(user, work)
    [event] = await read_all(queue, job)
    assert (event.type, event.data["code"]) == ("error", "work_cancelled")


async def test_polling_continues_after_what_was_given_last(queue, user, work):
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
    queue._jobs.clear()
    assert await queue.poll(user, job.id) == []
    assert [event.type for event in await queue.poll(user, job.id, after=3)] == ["end"]


async def test_two_polls_at_once_share_the_events(queue, user, work):
    """JOB-2: each event comes once, also to polls that wait side by side."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    polls = [asyncio.create_task(queue.poll(user, job.id, limit=1)) for _ in range(3)]
    await asyncio.sleep(0)
    for kind in "abc":
        work.log.append(kind)
    assert sorted(event.type for events in await asyncio.gather(*polls) for event in events) == ["a", "b", "c"]
    work.finish()


async def test_poll_gives_up_after_its_timeout(queue, user, work):
    """JOB-2, prior defect: polling waited for ever."""
    job = await queue.submit(user, work)
    assert await queue.poll(user, job.id, timeout=0.01) == ()
    work.finish()


async def test_poll_that_is_cancelled_takes_no_event(queue, user, work):
    """JOB-2: what a poll did not deliver the next one does."""
    job = await queue.submit(user, work)
    await work.begun.wait()
    poll = asyncio.create_task(queue.poll(user, job.id))
    await asyncio.sleep(0)
    poll.cancel()
    work.log.append("a")
    assert [event.type for event in await queue.poll(user, job.id)] == ["a"]
    work.finish()


async def test_cleaning_one_job_harms_no_other(queue, user, make_work, read_all):
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


async def test_jobs_are_listed_newest_first_by_cursor(queue, user, make_work, read_all):
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


async def test_jobs_beyond_the_places_wait_in_order(new_queue, user, make_work, read_all):
    """JOB-3, prior defect: no limit on jobs at once."""
    queue = await new_queue(max_running=1, max_jobs=3)
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
    queue._jobs.clear()
    assert (await queue.get(user, jobs[2].id)).started_at is not None


async def test_stop_ends_every_job_and_leaves_no_task(new_queue, user, make_work, read_all):
    """JOB-1, prior defect: stop aborted at the first running job and left the others running."""
    before = asyncio.all_tasks()
    queue = await new_queue(max_running=2)
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


async def test_stop_cuts_off_what_hangs_after_its_last_event(new_queue, user):
    """JOB-1: work that closed its log and goes on is ended too."""
    queue = await new_queue()
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


async def test_queue_starts_again_after_a_stop(queue, user, make_work, read_all):
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


async def test_job_of_a_user_who_is_not_there_is_refused(queue, user, work, make_work, read_all):
    """JOB-1: and the jobs that were stored with it are not harmed."""
    good = make_work()
    refused, job = await asyncio.gather(
        queue.submit(uuid.uuid4(), work), queue.submit(user, good), return_exceptions=True
    )
    assert isinstance(refused, NotFoundError)
    good.finish()
    assert [event.type for event in await read_all(queue, job)] == ["end"]


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


async def test_many_jobs_at_once_all_end(new_queue, user, read_all, database):
    """JOB-1: hundreds of jobs share commits; each has its own whole log."""
    queue = await new_queue()

    async def work(log: JobLog) -> None:
        for number in range(5):
            log.append("token", number)
            await asyncio.sleep(0)

    jobs = await asyncio.gather(*(queue.submit(user, work) for _ in range(300)))
    logs = await asyncio.gather(*(read_all(queue, job) for job in jobs))
    assert all([event.id for event in events] == [1, 2, 3, 4, 5, 6] for events in logs)
    async with database.session() as session:
        repository = JobRepository(session)
        assert {await repository.progress(job.id) for job in jobs} == {("succeeded", 6)}
        assert len(await repository.page(user, flow_id=None, status=None, before=None, limit=500)) == 300
