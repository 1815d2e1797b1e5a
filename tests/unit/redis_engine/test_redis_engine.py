"""The clients of Redis: one pool for each server, and clear errors."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError, ResponseError

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_errors import RedisSettingError, RedisUnavailableError
from bedplate.services.engines.redis_url import RedisURLError
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.postgres import free_port
from bedplate.wiring.testing.servers.valkey import PASSWORD, ValkeyServer


def engine_for(folder: Path, url: str | None, **values: Any) -> RedisEngine:
    own = values.pop("cache", {})
    redis = values if url is None else {"url": url, **values}
    return RedisEngine(SettingsService(profile="test", data_dir=folder, redis=redis, cache=own))


async def test_services_with_one_url_share_a_pool(redis_engine: RedisEngine) -> None:
    first, second = redis_engine.client(ServiceType.CACHE), redis_engine.client(ServiceType.STATE)
    assert first is second
    assert redis_engine.blocking_client(ServiceType.CACHE) is not first
    assert await first.set("key", b"\x00value") is True
    assert await second.get("key") == b"\x00value"


async def test_a_service_may_have_a_server_of_its_own(tmp_path: Path, valkey_url: str) -> None:
    engine = engine_for(tmp_path, valkey_url, cache={"redis_url": valkey_url.replace("/0", "/1")})
    await engine.start()
    await engine.client(ServiceType.CACHE).set("key", "value")
    assert await engine.client(ServiceType.STATE).get("key") is None
    await engine.client(ServiceType.CACHE).flushdb()
    await engine.stop()


async def test_more_callers_than_connections_wait_for_one(tmp_path: Path, valkey_url: str) -> None:
    engine = engine_for(tmp_path, valkey_url, connections=4)
    await engine.start()
    client = engine.client(ServiceType.CACHE)
    await asyncio.gather(*(client.incr("count") for _ in range(50)))
    assert await client.get("count") == b"50"
    assert int((await client.info("clients"))["connected_clients"]) <= 6
    await engine.stop()


async def test_a_cancelled_call_takes_no_answer_of_another(redis_engine: RedisEngine) -> None:
    client = redis_engine.client(ServiceType.CACHE)
    await asyncio.gather(*(client.set(f"key{n}", n) for n in range(20)))
    for n in range(20):
        task = asyncio.create_task(client.get(f"key{n}"))
        for _ in range(n % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    answers = await asyncio.gather(*(client.get(f"key{n}") for n in range(20)))
    assert answers == [str(n).encode() for n in range(20)]


async def test_no_cancellation_is_swallowed(redis_engine: RedisEngine) -> None:
    """Before Python 3.12 a cancellation is lost that comes while a command is being sent."""
    client = redis_engine.client(ServiceType.CACHE)
    await client.ping()

    async def call() -> None:
        with redis_engine.typed_errors(ServiceType.CACHE):
            await client.get("key")

    for steps in range(1, 8):
        task = asyncio.create_task(call())
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait([task])
            assert task.cancelled(), steps


async def test_before_its_start_and_after_its_stop_it_says_so(redis_engine: RedisEngine) -> None:
    await redis_engine.stop()
    with pytest.raises(UnavailableError, match="not started"):
        redis_engine.client(ServiceType.CACHE)
    await redis_engine.start()
    await redis_engine.ping(ServiceType.CACHE)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (None, "BEDPLATE_REDIS__URL is not set"),
        ("http://host:6379", "begins with none of redis://, rediss://, unix://"),
        ("redis://", "names no host"),
        ("redis://host:port", "cannot be read"),
        ("redis://host/name", "not a number"),
        ("unix://", "names no socket"),
    ],
)
async def test_what_is_no_url_is_named(tmp_path: Path, url: str | None, text: str) -> None:
    engine = engine_for(tmp_path, url)
    await engine.start()
    with pytest.raises(RedisURLError, match=r"cache: .*Fix: ") as caught:
        engine.client(ServiceType.CACHE)
    assert text in str(caught.value)
    await engine.stop()


async def _trouble(engine: RedisEngine) -> Exception:
    await engine.start()
    with pytest.raises((RedisSettingError, RedisUnavailableError)) as caught:
        await engine.ping(ServiceType.CACHE)
    await engine.stop()
    assert PASSWORD not in str(caught.value)
    assert "wrong-password" not in str(caught.value)
    return caught.value


async def test_a_wrong_password_is_named(tmp_path: Path, valkey_url: str) -> None:
    error = await _trouble(engine_for(tmp_path, valkey_url.replace(PASSWORD, "wrong-password")))
    assert isinstance(error, RedisSettingError)
    assert "refuses the user, the password" in str(error)
    assert "BEDPLATE_REDIS__URL" in str(error)


async def test_no_password_is_named(tmp_path: Path, valkey_url: str) -> None:
    error = await _trouble(engine_for(tmp_path, valkey_url.replace(f":{PASSWORD}@", "")))
    assert isinstance(error, RedisSettingError)


async def test_a_database_that_is_not_there_is_named(tmp_path: Path, valkey_url: str) -> None:
    error = await _trouble(engine_for(tmp_path, valkey_url.replace("/0", "/9999")))
    assert isinstance(error, RedisSettingError)
    assert "no such database" in str(error)


async def test_a_server_without_tls_is_named(tmp_path: Path, valkey_url: str) -> None:
    error = await _trouble(engine_for(tmp_path, valkey_url.replace("redis://", "rediss://"), command_timeout=1.0))
    assert "TLS" in str(error)


async def test_nobody_listening_is_named(tmp_path: Path) -> None:
    error = await _trouble(engine_for(tmp_path, f"redis://user:{PASSWORD}@127.0.0.1:{free_port()}"))
    assert isinstance(error, RedisUnavailableError)
    assert "cannot be reached" in str(error)


async def test_it_recovers_when_the_server_comes_back(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, durable=True) as server:
        engine = engine_for(tmp_path, server.url)
        await engine.start()
        client = engine.client(ServiceType.CACHE)
        await client.set("key", "value")
        server.kill()
        with pytest.raises(RedisUnavailableError), engine.typed_errors(ServiceType.CACHE):
            await client.get("key")
        server.start()
        assert await client.get("key") == b"value"
        await engine.stop()


async def test_a_connection_that_died_while_it_was_idle_is_replaced(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        engine = engine_for(tmp_path, server.url)
        await engine.start()
        client = engine.client(ServiceType.CACHE)
        await client.ping()
        server.stop()
        server.start()
        for _ in range(10):  # for the loop to see that it was closed
            await asyncio.sleep(0)
        assert await client.ping()
        await engine.stop()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ResponseError("MISCONF Redis is configured to save RDB snapshots, but it is not able to"), "to its disk"),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), "too few replicas"),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "its memory is full"),
        (ResponseError("ERR something else"), "refuses a command"),
    ],
)
async def test_why_a_server_cannot_do_it_now_is_said(redis_engine: RedisEngine, error: Exception, said: str) -> None:
    with pytest.raises(RedisUnavailableError, match=said), redis_engine.typed_errors(ServiceType.CACHE):
        raise error
