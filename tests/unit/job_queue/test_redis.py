"""JOB-4: jobs whose logs are streams of Redis, of processes that die, are late, or lose their server."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.unit.job_queue.test_recovery import die, expire_lease

from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.job_queue import (
    JobElsewhereError,
    JobEvent,
    JobFinishedError,
    JobLog,
    JobQueueService,
    JobStatus,
)
from bedplate.services.job_queue.factory import build_job_queue
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

pytestmark = pytest.mark.xdist_group("valkey")

Replica = Callable[..., Awaitable[JobQueueService]]


@pytest.fixture
def url(valkey_url: str) -> str:
    return valkey_url


@pytest.fixture
async def replica(settings, database, url) -> AsyncIterator[Replica]:
    """Starts job queues as of processes of their own, each with its own connections."""
    started: list[tuple[JobQueueService, RedisEngine]] = []

    async def make(**values: Any) -> JobQueueService:
        quick = {"commit_interval": 0.01, "follow_interval": 0.01, "cancel_timeout": 0.5, "backend": "redis"}
        own = SettingsService(
            profile="test",
            data_dir=settings.values.data_dir,
            redis={"url": url, "command_timeout": 2.0},
            job_queue=quick | values,
        )
        engine = RedisEngine(own)
        await engine.start()
        queue = build_job_queue(own, TelemetryService(own, Redactor(own)), database, lambda: engine)
        started.append((queue, engine))
        await queue.start()
        return queue

    yield make
    for queue, engine in started:
        await queue.stop()
        await engine.stop()


async def kill(queue: JobQueueService) -> None:
    """End a queue as ``kill -9`` would: what has been sent has been sent, and nothing more is."""
    relay = queue._relay
    tasks = [relay._publisher._task, *relay._feeds._tasks]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await die(queue)


@pytest.fixture
def server(url) -> redis.Redis:
    with redis.Redis.from_url(url) as client:
        yield client


def stream(job) -> str:
    return f"bedplate:job:{job.id}:log"


async def test_a_reader_loses_nothing_when_the_process_is_killed(replica, user, work, database, read_all):
    """JOB-4: whatever anybody has seen is in the log for ever; the end comes when the lease has ended."""
    dead, alive = await replica(), await replica(lease_ttl=0.1)
    job = await dead.submit(user, work)
    await work.begun.wait()
    for number in range(300):
        work.log.append("token", number)
    here = await dead.poll(user, job.id)
    reader = alive.events(user, job.id)
    there = [await anext(reader) for _ in range(100)]
    for number in range(50):
        work.log.append("token", number)
    seen = max(event.id for event in [*here, *await dead.poll(user, job.id, after=here[-1].id)])
    work.log.append("never seen")
    await kill(dead)
    await expire_lease(database, dead)
    there += [event async for event in reader]
    assert [event.id for event in there[:-1]] == list(range(1, len(there)))
    assert len(there) - 1 >= seen
    assert (there[-1].type, there[-1].data["code"]) == ("error", "interrupted")
    assert await read_all(await replica(), job) == there
    assert (await alive.get(user, job.id)).status is JobStatus.INTERRUPTED
    work.finish()


async def test_the_end_comes_as_soon_as_the_lease_has_ended(replica, user, work, database):
    """JOB-3: the others look when the lease ends, and not a third of a lease later."""
    dead, alive = await replica(lease_ttl=60.0), await replica(lease_ttl=60.0)
    job = await dead.submit(user, work)
    await work.begun.wait()
    assert await alive._keeper.next_look(alive._archive) == 20.0
    await kill(dead)
    async with database.transaction() as session:
        await JobRepository(session).renew_lease(dead._archive.instance_id, utc_now() + timedelta(seconds=10))
    assert 8.0 < await alive._keeper.next_look(alive._archive) <= 10.0
    await expire_lease(database, dead)
    assert await alive._keeper.next_look(alive._archive) == 2.0
    await alive._relay.recover(alive._archive)
    assert (await alive.get(user, job.id)).status is JobStatus.INTERRUPTED
    work.finish()


async def test_a_process_that_was_taken_for_dead_adds_nothing(replica, user, work, database, read_all, until):
    """JOB-4: its stream is fenced; readers there go on to what the log has become, without a gap or a repetition."""
    late, other = await replica(lease_ttl=60.0), await replica()
    job = await late.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    reader = late.events(user, job.id)
    assert (await anext(reader)).type == "first"
    await expire_lease(database, late)
    await other._relay.recover(other._archive)
    stored = await read_all(other, job)
    with contextlib.suppress(JobFinishedError):
        work.log.append("too late")
    assert [event async for event in reader] == stored[1:]
    assert [event.type for event in stored] == ["first", "error"]
    await until(lambda: work.cancelled)
    assert await read_all(late, job) == stored == await read_all(await replica(), job)
    assert (await late.get(user, job.id)).status is JobStatus.INTERRUPTED
    again = await late.submit(user, _nothing)
    assert [event.type for event in await read_all(other, again)] == ["end"]


async def test_two_that_recover_at_once_end_a_job_once(replica, user, work, database, read_all):
    """JOB-4: exactly one last event."""
    dead, first, second = await replica(), await replica(), await replica()
    job = await dead.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    await dead.poll(user, job.id)
    await kill(dead)
    await expire_lease(database, dead)
    ended = await asyncio.gather(*(one._relay.recover(one._archive) for one in (first, second, first)))
    assert sum(ended) == 1
    assert [event.type for event in await read_all(second, job)] == ["first", "error"]
    work.finish()


async def test_one_connection_follows_all_streams(replica, server, user, until):
    """JOB-4: however many readers of however many jobs a process has, one of its connections waits."""
    queue, other = await replica(), await replica()
    go = asyncio.Event()

    async def work(log: JobLog) -> None:
        log.append("first")
        await go.wait()
        log.append("second")

    jobs = [await queue.submit(user, work) for _ in range(40)]
    seen = asyncio.Barrier(121)

    async def read(job) -> list[str]:
        types = []
        async with aclosing(other.events(user, job.id)) as events:
            async for event in events:
                types.append(event.type)
                if event.type == "first":
                    await seen.wait()
        return types

    readers = [asyncio.create_task(read(job)) for job in jobs for _ in range(3)]
    await seen.wait()
    await until(lambda: len(other._relay._feeds) == 40)

    def blocked() -> int:
        return sum("b" in client["flags"] for client in server.client_list())

    await until(lambda: blocked() == 2)  # one for each process
    assert max(blocked() for _ in range(50)) == 2
    go.set()
    assert await asyncio.gather(*readers) == [["first", "second", "end"]] * 120
    assert len(other._relay._feeds) == 0


async def test_what_gathers_is_sent_at_once(replica, server, user, read_all):
    """JOB-4: the work never waits for Redis, and thousands of events are a few commands."""
    queue = await replica()
    server.config_resetstat()

    async def work(log: JobLog) -> None:
        for number in range(20_000):
            log.append("token", {"number": number})

    job = await queue.submit(user, work)
    assert len(await read_all(queue, job)) == 20_001
    stats = server.info("commandstats")
    assert stats["cmdstat_eval"]["calls"] < 50


async def test_streams_are_trimmed_and_expire(replica, server, user, work, read_all, until):
    """JOB-4, ALL-6: Redis keeps what the database does not have yet, and after the end nothing for long."""
    queue, other = await replica(), await replica()
    job = await queue.submit(user, work)
    await work.begun.wait()
    for number in range(60):
        work.log.append("token", f"{number:03}" * 10_000)
        await queue.poll(user, job.id)  # which waits until it is published
    log = queue._jobs.get(job.id).log
    await until(lambda: log.committed > 30)
    work.log.append("token", "last")
    await queue.poll(user, job.id)
    assert server.memory_usage(stream(job)) < 1_000_000
    assert server.ttl(stream(job)) > 3600
    reader = other.events(user, job.id)
    first = [await anext(reader) for _ in range(61)]
    work.finish()
    assert [event.id for event in [*first, *[event async for event in reader]]] == list(range(1, 63))
    assert await read_all(other, job) == await read_all(queue, job)
    assert 0 < server.ttl(stream(job)) <= 60
    server.delete(stream(job))
    assert len(await read_all(other, job)) == 62


@pytest.mark.parametrize("lost", ["all", "the latest"])
async def test_redis_that_lost_data_is_given_it_again(replica, server, user, work, read_all, lost):
    """JOB-4: a server that was restarted without its data harms no running job, nor its readers."""
    queue, other = await replica(), await replica()
    job = await queue.submit(user, work)
    await work.begun.wait()
    for number in range(20):
        work.log.append("token", number)
        await queue.poll(user, job.id)
    reader = other.events(user, job.id)
    read = [await anext(reader) for _ in range(20)]
    if lost == "all":
        server.delete(stream(job))
    else:
        server.xdel(stream(job), *(f"{number}-0" for number in range(11, 21)))
    work.log.append("token", 20)
    read.append(await anext(reader))
    work.finish()
    read += [event async for event in reader]
    assert [event.id for event in read] == list(range(1, 23))
    server.delete(stream(job))
    assert await read_all(other, job) == read
    rewritten = queue._telemetry.exposition()
    assert b"bedplate_job_queue_streams_rewritten_total 1.0" in rewritten


async def test_a_stream_that_redis_refuses_ends_its_own_job(replica, server, user, make_work, read_all):
    """JOB-4, JOB-2: and no other, wherever it is read."""
    queue, other = await replica(), await replica()
    bad, good = make_work(), make_work()
    refused, job = await queue.submit(user, bad), await queue.submit(user, good)
    await asyncio.gather(bad.begun.wait(), good.begun.wait())
    server.set(stream(refused), "no stream")
    bad.log.append("token", 1)
    good.log.append("token", 1)
    events = await read_all(queue, refused)
    assert [event.type for event in events] == ["token", "error"]
    assert events[-1].data["code"] == "interrupted"
    good.finish()
    for one in (queue, other):
        assert [event.type for event in await read_all(one, job)] == ["token", "end"]
    server.delete(stream(refused))
    assert await read_all(other, refused) == events


async def test_a_slow_reader_costs_no_memory(replica, user, work, until):
    """ALL-6: what it has not taken yet is read from Redis or the database when it does."""
    queue, other = await replica(), await replica()
    job = await queue.submit(user, work)
    await work.begun.wait()
    reader = other.events(user, job.id)
    work.log.append("first")
    read = [await anext(reader)]
    quick = other.events(user, job.id)
    assert (await anext(quick)).id == 1
    for number in range(100):
        work.log.append("token", f"{number:03}" * 10_000)
        assert (await anext(quick)).id == number + 2
    [feed] = other._relay._feeds._feeds.values()
    assert feed._bytes < 256 * 1024
    work.finish()
    read += [event async for event in reader]
    assert [event.id for event in read] == list(range(1, 103))
    await quick.aclose()


@pytest.mark.parametrize("steps", range(0, 12, 2))
async def test_a_poll_that_is_cancelled_at_any_moment_takes_no_event(replica, user, work, steps):
    """JOB-4, JOB-2: what it did not deliver the next one does, wherever that comes."""
    queue, other = await replica(), await replica()
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("a")
    await queue._relay.settle(queue._jobs.get(job.id))
    poll = asyncio.create_task(queue.poll(user, job.id))
    for _ in range(steps):
        await asyncio.sleep(0)
    poll.cancel()
    given: list[JobEvent] = []
    with contextlib.suppress(asyncio.CancelledError):
        given += await poll
    work.log.append("b")
    while len(given) < 2:
        given += await other.poll(user, job.id)
    assert [event.type for event in given] == ["a", "b"]
    work.finish()


async def test_a_stop_lets_readers_elsewhere_have_everything(replica, user, work, read_all):
    """JOB-4: also the last event of a process that stops is published."""
    queue, other = await replica(), await replica()
    job = await queue.submit(user, work)
    await work.begun.wait()
    reader = asyncio.create_task(read_all(other, job))
    work.log.append("first")
    await queue.stop()
    events = await reader
    assert [event.type for event in events] == ["first", "error"]
    assert events[-1].data["code"] == "interrupted"


async def test_readers_of_a_process_that_stops_are_told(replica, user, work):
    """JOB-4: they can go on elsewhere."""
    queue, other = await replica(), await replica()
    job = await queue.submit(user, work)
    await work.begun.wait()
    work.log.append("first")
    reader = other.events(user, job.id)
    assert (await anext(reader)).type == "first"
    waiting = asyncio.create_task(anext(reader))
    await asyncio.sleep(0.05)
    await other.stop()
    with pytest.raises(Exception, match="the service has stopped"):
        await waiting
    work.finish()


async def test_a_cancel_that_nobody_hears_is_an_error(replica, user, work):
    """JOB-4, JOB-2: the process that runs the job does not answer."""
    dead, other = await replica(), await replica(cancel_timeout=0.05, commit_patience=0.05)
    job = await dead.submit(user, work)
    await work.begun.wait()
    await kill(dead)
    with pytest.raises(JobElsewhereError):
        await other.cancel(user, job.id)
    work.finish()


class TestAway:
    """JOB-4: Redis is lost in the middle, and comes back."""

    @pytest.fixture
    def valkey(self, tmp_path: Path) -> Iterator[ValkeyServer]:
        with ValkeyServer(tmp_path) as server:
            yield server

    @pytest.fixture
    def url(self, valkey) -> str:
        return valkey.url

    async def test_jobs_that_write_end_as_interrupted_and_nothing_is_lost(
        self, replica, valkey, user, make_work, read_all, until
    ):
        """Readers here and there are told; what the work had appended is in the database; afterwards all works."""
        queue, other = await replica(stream_patience=0.2), await replica(stream_patience=0.2)
        writes, silent = make_work(), make_work()
        job, quiet = await queue.submit(user, writes), await queue.submit(user, silent)
        await asyncio.gather(writes.begun.wait(), silent.begun.wait())
        writes.log.append("first")
        silent.log.append("first")
        readers = [queue.events(user, job.id), other.events(user, job.id)]
        assert [(await anext(reader)).id for reader in readers] == [1, 1]
        await asyncio.to_thread(valkey.kill)
        writes.log.append("in the dark")
        rest = [[event async for event in reader] for reader in readers]
        assert rest[0] == rest[1]
        assert [event.type for event in rest[0]] == ["in the dark", "error"]
        assert rest[0][-1].data["code"] == "interrupted"
        assert writes.cancelled
        assert (await other.get(user, job.id)).status is JobStatus.INTERRUPTED
        for one in (queue, other):
            assert (await one.health()).status is HealthStatus.DOWN
            with pytest.raises(RedisUnavailableError):
                await one.submit(user, make_work())
        with pytest.raises(RedisUnavailableError):
            await other.cancel(user, quiet.id)

        await asyncio.to_thread(valkey.start)

        async def up() -> bool:
            return {(await one.health()).status for one in (queue, other)} == {HealthStatus.UP}

        await until(up)
        silent.log.append("second")
        silent.finish()
        for one in (queue, other):
            assert [event.type for event in await read_all(one, quiet)] == ["first", "second", "end"]
        again = await other.submit(user, _nothing)
        assert [event.type for event in await read_all(queue, again)] == ["end"]

    async def test_a_short_absence_is_not_noticed(self, replica, valkey, user, work, read_all):
        """What could not be published is when Redis is back, though it has forgotten everything."""
        queue, other = await replica(stream_patience=60.0), await replica()
        job = await queue.submit(user, work)
        await work.begun.wait()
        reader = asyncio.create_task(read_all(other, job))
        for number in itertools.count():
            work.log.append("token", number)
            await queue.poll(user, job.id, after=number, timeout=0.01)
            if number == 5:
                await asyncio.to_thread(valkey.kill)
            if number == 10:
                await asyncio.to_thread(valkey.start)
                break
        work.finish()
        events = await reader
        assert [event.id for event in events] == list(range(1, 13))
        assert await read_all(queue, job) == events

    async def test_jobs_of_the_dead_wait_for_redis_but_not_for_ever(
        self, replica, valkey, user, work, database, read_all
    ):
        """JOB-3: readers are told of the end though what was published cannot be had."""
        dead, alive = await replica(), await replica(lease_ttl=0.3)
        job = await dead.submit(user, work)
        await work.begun.wait()
        work.log.append("first")
        await dead.poll(user, job.id)
        await kill(dead)
        await asyncio.to_thread(valkey.kill)
        await expire_lease(database, dead)
        assert await alive._relay.recover(alive._archive) == 0
        events = await read_all(alive, job)
        assert [event.type for event in events] == ["error"]
        work.finish()


async def _nothing(_log: JobLog) -> None:
    """Do nothing."""


def test_the_engine_must_be_given(settings, telemetry, database):
    """ALL-2."""
    own = SettingsService(profile="test", data_dir=settings.values.data_dir, job_queue={"backend": "redis"})
    with pytest.raises(TypeError, match="redis"):
        build_job_queue(own, telemetry, database)
