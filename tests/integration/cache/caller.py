"""A process of a replica that asks for one value a hundred times at once: run by the tests beside it.

Each line of its input is a key to ask for; it answers ``ready`` when it has started, and then a line with all the
answers to each. Its loader says in Redis that it runs, and in which process, and waits until the value is put there.
"""

import asyncio
import json
import os
import sys

from dependency_injector.providers import Object

from bedplate.containers import ApplicationContainer
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService

CALLERS = 100


async def main(url: str, lease: str) -> None:
    settings = SettingsService(
        profile="test", redis={"url": url}, cache={"backend": "redis", "load_lease": float(lease)}
    )
    container = ApplicationContainer(settings=Object(settings))
    async with container.running(container.cache):
        cache, client = container.cache(), container.redis().client(ServiceType.CACHE)
        print("ready", flush=True)
        while key := (await asyncio.to_thread(sys.stdin.readline)).strip():

            async def load(key: str = key) -> str:
                await client.rpush(f"loads:{key}", os.getpid())
                while (value := await client.get(f"value:{key}")) is None:  # noqa: ASYNC110 - another process sets it
                    await asyncio.sleep(0.01)
                return str(value.decode())

            answers = await asyncio.gather(*(cache.get_or_set(key, load) for _ in range(CALLERS)))
            print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
