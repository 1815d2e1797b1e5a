"""A process of a replica with a cache in two tiers: run by the tests beside it.

It prints ``ready`` when it has started, and then a line of JSON for each line of its input: ``load KEY`` asks a hundred
times at once for a value whose loader says in Redis that it runs, and in which process, and waits until the value is
put there; ``get KEY``, ``set KEY VALUE TAG`` and ``invalidate TAG`` do that.
"""

import asyncio
import json
import os
import sys

from dependency_injector.providers import Object
from redis.asyncio import Redis

from bedplate.containers import ApplicationContainer
from bedplate.services.cache import CacheService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService

CALLERS = 100


async def main(url: str, lease: str) -> None:
    settings = SettingsService(
        profile="test",
        redis={"url": url},
        cache={"backend": "two_tier", "load_lease": float(lease), "memory_ttl": 3600},
    )
    container = ApplicationContainer(settings=Object(settings))
    async with container.running(container.cache):
        cache, client = container.cache(), container.redis().client(ServiceType.CACHE)
        print("ready", flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            match line.split():
                case "load", key:
                    answer: object = await asyncio.gather(*(_load(cache, client, key) for _ in range(CALLERS)))
                case "get", key:
                    answer = await cache.get(key) or None
                case "set", key, value, tag:
                    answer = await cache.set(key, value, tags=[tag])
                case _, tag:
                    answer = await cache.invalidate(tag)
            print(json.dumps(answer), flush=True)


async def _load(cache: CacheService, client: "Redis", key: str) -> str:
    async def load() -> str:
        await client.rpush(f"loads:{key}", os.getpid())
        while (value := await client.get(f"value:{key}")) is None:  # noqa: ASYNC110 - another process sets it
            await asyncio.sleep(0.01)
        return str(value.decode())

    return await cache.get_or_set(key, load)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
