"""Break things at random under load, and see that nothing acknowledged is lost: ``make chaos``.

Two replicas work over PostgreSQL, Valkey and an S3 API. One after another, in an order that the seed decides, a
connection is cut, an engine refuses connections for a while, or a replica is killed or restarted. After each fault the
replicas must be ready again within a minute; at the end everything that was acknowledged must be there.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.cluster.load import Load
from tests.servers.relay import Relay
from tests.servers.replicas import Replica, shared_environment, signed_in
from tests.servers.s3 import S3Server, new_bucket, rclone

from bedplate.services.engines.s3 import S3Engine
from bedplate.wiring.testing.servers.postgres import new_database, postgres
from bedplate.wiring.testing.servers.valkey import ValkeyServer

_RECOVERY = 60.0
_CALM = 1.0
_AWAY = (0.2, 4.0)
_SHOWN = 4_000
"""Characters of the output of a replica that are shown where it is not ready again."""

Fault = Callable[[], Awaitable[None]]


class Chaos:
    """A cluster whose parts can be broken.

    Args:
        seed: What the order of the faults and of the calls derives from.
        replicas: The replicas, ready.
        relays: What stands between them and each engine, by the engine's name.
        redis: The Valkey server behind its relay.
    """

    def __init__(self, seed: int, replicas: list[Replica], relays: Mapping[str, Relay], redis: ValkeyServer) -> None:
        self._random = random.Random(seed)
        self._replicas = replicas
        self._redis = redis
        self._faults: dict[str, Fault] = {}
        for name, relay in relays.items():
            self._faults[f"cut the connections to {name}"] = lambda relay=relay: self._cut(relay)  # type: ignore[misc]  # a lambda's default has no annotation
            self._faults[f"silence the connections to {name}"] = lambda relay=relay: self._silence(relay)  # type: ignore[misc]  # the same
            self._faults[f"refuse connections to {name}"] = lambda relay=relay: self._refuse(relay)  # type: ignore[misc]  # the same
        self._faults["kill valkey"] = self._kill_redis
        self._faults["kill a replica"] = lambda: self._restart(Replica.kill)
        self._faults["restart a replica"] = lambda: self._restart(Replica.terminate)

    async def run(self, seconds: float) -> int:
        """Break one thing after another for so many seconds; returns how many."""
        until, count = time.monotonic() + seconds, 0
        names = sorted(self._faults)
        while time.monotonic() < until:
            name = names[count % len(names)] if count < len(names) else self._random.choice(names)
            begun = time.monotonic()
            print(f"{name} …", end=" ", flush=True)
            await self._faults[name]()
            try:
                await self._recovered()
            except TimeoutError:
                for replica in self._replicas:
                    print(f"--- {replica.url}\n{replica.output[-_SHOWN:]}")
                raise RuntimeError(f"{name}: not ready again after {_RECOVERY:g} s") from None
            print(f"ready again after {time.monotonic() - begun:.1f} s", flush=True)
            await asyncio.sleep(_CALM)
            count += 1
        return count

    async def _cut(self, relay: Relay) -> None:
        relay.cut()

    async def _silence(self, relay: Relay) -> None:
        relay.silence()

    async def _refuse(self, relay: Relay) -> None:
        await relay.pause()
        await asyncio.sleep(self._random.uniform(*_AWAY))
        await relay.resume()

    async def _kill_redis(self) -> None:
        await asyncio.to_thread(self._redis.kill)
        await asyncio.sleep(self._random.uniform(*_AWAY))
        await asyncio.to_thread(self._redis.start)

    async def _restart(self, end: Callable[[Replica], int]) -> None:
        replica = self._random.choice(self._replicas)
        await asyncio.to_thread(end, replica)
        replica.begin()
        await asyncio.to_thread(replica.wait_ready)

    async def _recovered(self) -> None:
        async with asyncio.timeout(_RECOVERY), httpx.AsyncClient(timeout=_RECOVERY) as client:
            for replica in self._replicas:
                # The probe of a platform, which asks again and again.
                while (await client.get(f"{replica.url}/readyz")).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[tuple[str, ValkeyServer, S3Server]]:
    folders = {name: folder / name for name in ("postgres", "valkey", "s3")}
    for one in folders.values():
        one.mkdir()
    with (
        postgres(folders["postgres"]) as database,
        ValkeyServer(folders["valkey"], durable=True) as redis,
        rclone(folders["s3"]) as s3,
    ):
        yield new_database(database), redis, s3


async def _bucket(server: S3Server) -> str:
    engine = S3Engine()
    await engine.start()
    try:
        return await new_bucket(engine, server)
    finally:
        await engine.stop()


def _through(url: str, relay: Relay) -> str:
    return url.replace(f":{urlsplit(url).port}", f":{relay.port}")


async def _chaos(folder: Path, seed: int, seconds: float) -> list[str]:
    with _servers(folder) as (database, redis, s3):
        async with contextlib.AsyncExitStack() as stack:
            targets = {"postgres": database, "valkey": redis.url, "s3": s3.endpoint}
            relays = {
                name: await stack.enter_async_context(Relay(urlsplit(url).port or 0)) for name, url in targets.items()
            }
            files = s3.settings(await _bucket(s3), s3_connect_timeout=1)
            files["s3_endpoint"] = _through(s3.endpoint, relays["s3"])
            values = {f"STORAGE__{key.upper()}": str(value) for key, value in files.items()}
            environment = shared_environment(
                database=_through(database, relays["postgres"]),
                redis=_through(redis.url, relays["valkey"]),
                CACHE__BACKEND="two_tier",
                DATABASE__STATEMENT_TIMEOUT="5",
                JOB_QUEUE__BACKEND="redis",
                SOCKET__BACKEND="redis",
                STATE__BACKEND="redis",
                JOB_QUEUE__LEASE_TTL="5",
                **values,
            )
            replicas = [Replica(folder / f"replica-{number}", environment) for number in range(2)]
            for replica in replicas:
                stack.callback(replica.kill)
                replica.begin()
            for replica in replicas:
                await asyncio.to_thread(replica.wait_ready)
            headers = await asyncio.to_thread(signed_in, replicas[0].url, "ada")
            load = Load([replica.url for replica in replicas], headers, seed=seed, jobs=True, replicas_die=True)
            async with load.running(clients=6):
                count = await Chaos(seed, replicas, relays, redis).run(seconds)
                await load.until_answered()
            await load.verify()
            print(f"{count} faults; answers by status (0: the connection broke): {dict(sorted(load.answers.items()))}")
            print(f"jobs by their last event: {dict(sorted(load.ends.items()))}")
            print(f"the slowest took {load.slowest:.1f} s")
            return load.violations


def main() -> int:
    """Run it as the command line says; 1 if anything happened that should not have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bedplate-chaos-") as folder:
        violations = asyncio.run(_chaos(Path(folder), options.seed, options.seconds))
    for violation in violations:
        print(f"VIOLATION: {violation}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
