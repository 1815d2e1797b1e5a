"""Commands of tasks that wait at the same time go to the server together, and none is harmed by another."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_batch import MOST, RedisBatch, Script
from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
async def batch(redis_engine: RedisEngine) -> AsyncIterator[RedisBatch]:
    batch = RedisBatch(redis_engine.client(ServiceType.CACHE))
    yield batch
    await batch.close()


async def commands(engine: RedisEngine, name: str) -> int:
    found = await engine.client(ServiceType.CACHE).info("commandstats")
    return int(found.get(f"cmdstat_{name}", {"calls": 0})["calls"])


async def test_reads_of_many_callers_are_few_commands(batch: RedisBatch, redis_engine: RedisEngine) -> None:
    """CACHE-1: each gets its own values, in the order of its keys."""
    await asyncio.gather(*(batch.execute("SET", f"k{number}", number) for number in range(100)))
    before = await commands(redis_engine, "mget")
    keys = [[f"k{number}", "absent", f"k{(number + 1) % 100}", f"k{number}"] for number in range(100)]
    answers = await asyncio.gather(*(batch.get(wanted) for wanted in keys))
    for number, answer in enumerate(answers):
        own = str(number).encode()
        assert answer == [own, None, str((number + 1) % 100).encode(), own]
    assert await commands(redis_engine, "mget") - before < 10


async def test_a_script_is_known_again_after_the_server_forgot_it(batch: RedisBatch) -> None:
    """A server that was restarted, or has become the primary, knows no scripts."""
    assert await batch.run(ADD, ("n",), 2) == 2
    await batch.execute("SCRIPT", "FLUSH")
    assert await batch.run(ADD, ("n",), 2) == 4
    await batch.execute("SCRIPT", "FLUSH")
    assert sorted(await asyncio.gather(*(batch.run(ADD, ("n",), 1) for _ in range(20)))) == list(range(5, 25))


async def test_a_command_that_fails_harms_no_other(batch: RedisBatch) -> None:
    await batch.execute("SET", "text", "no number")

    async def add(number: int) -> object:
        return await batch.run(ADD, ("text" if number % 3 == 0 else f"n{number}",), 1)

    answers = await asyncio.gather(*(add(number) for number in range(30)), return_exceptions=True)
    for number, answer in enumerate(answers):
        assert isinstance(answer, ResponseError) if number % 3 == 0 else answer == 1


async def test_a_cancelled_caller_takes_nothing_from_others(batch: RedisBatch) -> None:
    """Wherever it is cancelled, everybody else gets the answer to the own command."""
    await asyncio.gather(*(batch.execute("SET", f"k{number}", number) for number in range(20)))
    for steps in range(12):
        tasks = [asyncio.create_task(batch.get([f"k{number}"])) for number in range(20)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        await asyncio.wait(tasks)
        for number, task in enumerate(tasks):
            if number % 3 or not task.cancelled():
                assert task.result() == [str(number).encode()], (steps, number)


async def test_no_cancellation_is_swallowed(batch: RedisBatch) -> None:
    await batch.get(["key"])
    for steps in range(8):
        task = asyncio.create_task(batch.get(["key"]))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait([task])
            assert task.cancelled(), steps


async def test_a_server_that_comes_back_is_found_again(tmp_path: Path) -> None:
    """Everybody who waits while it is away is told; connections that died while they were idle are replaced."""
    with ValkeyServer(tmp_path) as server:
        settings = SettingsService(profile="test", data_dir=tmp_path, redis={"url": server.url})
        engine = RedisEngine(settings)
        await engine.start()
        batch = RedisBatch(engine.client(ServiceType.CACHE))
        await asyncio.gather(*(batch.execute("SET", f"k{number}", number) for number in range(10)))
        server.stop()
        calls = [batch.get(["k1"]) for _ in range(10)] + [batch.execute("SET", "k", 1) for _ in range(10)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, RedisConnectionError) for answer in answers)
        server.start()
        assert await asyncio.gather(*(batch.get(["k1"]) for _ in range(10))) == [[None]] * 10
        await batch.execute("SET", "k1", 7)
        server.stop()
        server.start()
        await asyncio.sleep(0.3)  # longer than a connection is trusted unseen
        assert await batch.get(["k1"]) == [None]
        await batch.close()
        await engine.stop()


async def test_the_fewest_connections_that_may_be_set_are_enough(tmp_path: Path, valkey_url: str) -> None:
    """What is kept for the batch leaves one for everybody else with the same server."""
    redis = {"url": valkey_url, "connections": 4, "pool_timeout": 30.0}
    with pytest.raises(ConfigurationError, match="CONNECTIONS"):
        SettingsService(profile="test", data_dir=tmp_path, redis=redis | {"connections": 3})
    engine = RedisEngine(SettingsService(profile="test", data_dir=tmp_path, redis=redis))
    await engine.start()
    batch = RedisBatch(engine.client(ServiceType.CACHE))
    reads = (batch.get([f"k{number}"]) for number in range(2 * MOST))
    writes = (batch.execute("SET", f"k{number}", number) for number in range(2 * MOST))
    await asyncio.gather(*reads, *writes)
    await engine.ping(ServiceType.STATE)
    await batch.close()
    await engine.stop()


async def test_closing_gives_up_who_waits(batch: RedisBatch, redis_engine: RedisEngine) -> None:
    client = redis_engine.client(ServiceType.CACHE)
    await client.client_pause(300)
    tasks = [asyncio.create_task(batch.execute("SET", "k", number)) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await batch.close()
    await client.client_unpause()
    done, _ = await asyncio.wait(tasks, timeout=30)
    assert len(done) == 20
    assert sum(task.cancelled() for task in tasks) >= 19
