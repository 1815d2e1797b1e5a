"""Connections that go where the primary is."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError
from tests.servers.relay import Relay

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_batch import RedisBatch
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.valkey import ValkeyServer


async def test_another_server_becomes_the_primary(tmp_path: Path) -> None:
    """CACHE-6: connections to the former one, which live on, are left when it refuses a write; nobody restarts."""
    for name in ("former", "present"):
        (tmp_path / name).mkdir()
    with ValkeyServer(tmp_path / "former") as former, ValkeyServer(tmp_path / "present") as present:
        old, new = (urlsplit(server.url).port or 0 for server in (former, present))
        async with Relay(old) as relay:
            url = former.url.replace(f":{old}/", f":{relay.port}/")
            engine = RedisEngine(SettingsService(profile="test", data_dir=tmp_path, redis={"url": url}))
            await engine.start()
            client = engine.client(ServiceType.CACHE)
            batch = RedisBatch(client)
            writes: list[Callable[[str], Awaitable[Any]]] = [
                partial(client.set, "of the pool"),
                partial(batch.execute, "SET", "of a lane"),
                partial(_pipelined, client),
            ]
            await asyncio.gather(*(write("before") for write in writes for _ in range(20)))
            async with Redis.from_url(former.url) as administrator:
                await administrator.execute_command("REPLICAOF", "127.0.0.1", new)
            relay._target = new  # of new connections
            for write in writes:
                async with asyncio.timeout(60):
                    while not await _taken(write):
                        pass
            async with Redis.from_url(present.url) as administrator:
                found = await administrator.mget("of the pool", "of a lane", "of a pipeline")
            assert found == [b"after"] * 3
            await batch.close()
            await engine.stop()


async def _taken(write: Callable[[str], Awaitable[Any]]) -> bool:
    answers = await asyncio.gather(*(write("after") for _ in range(20)), return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(failure, ReadOnlyError) for failure in failures), failures
    return not failures


async def _pipelined(client: "Redis", value: str) -> Any:
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.get("absent").set("of a pipeline", value).get("absent")
        return await pipeline.execute()
