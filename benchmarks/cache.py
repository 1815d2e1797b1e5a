"""Reading from the memory backend of the cache, and many misses at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
from cachetools import TTLCache

from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_GETS = 20_000
_MUTABLE = {"name": "a flow", "tags": ["one", "two"], "count": 3, "nested": {"x": 1.5}}
_SCALAR = "an immutable scalar"


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Hits on a mutable and on an immutable value, and the loads of a thousand concurrent misses."""
    with temporary_folder() as folder, run_in(runner, folder, "cache") as container:
        cache = container.cache()
        runner.run(cache.set("mutable", _MUTABLE))
        runner.run(cache.set("scalar", _SCALAR))
        yield ratio(
            "cache get, memory backend, mutable value",
            lambda: _timed(lambda: cache.get("mutable")),
            lambda: _timed(_TTLPeer().get),
            against="cachetools.TTLCache and msgspec decode behind one await",
            unit="ns",
            aim=Aim("≤", 1.3),
            runner=runner,
        )
        yield ratio(
            "cache get, memory backend, immutable scalar",
            lambda: _timed(lambda: cache.get("scalar")),
            lambda: _timed(_DictPeer().get),
            against="an await over a dict",
            unit="ns",
            aim=Aim("≤", 3.5),
            runner=runner,
        )

        async def misses() -> float:
            loads = 0

            async def load() -> int:
                nonlocal loads
                loads += 1
                await asyncio.sleep(0.01)
                return loads

            await cache.delete("missing")
            await asyncio.gather(*(cache.get_or_set("missing", load) for _ in range(1000)))
            return loads

        yield absolute(
            "1,000 concurrent misses on one key", misses, unit="loads", aim=Aim("=", 1), runner=runner, rounds=5
        )


class _TTLPeer:
    def __init__(self) -> None:
        self._cache: TTLCache[str, bytes] = TTLCache(maxsize=10_000, ttl=3600)
        self._cache["mutable"] = msgspec.msgpack.encode(_MUTABLE)
        self._decode = msgspec.msgpack.Decoder().decode

    async def get(self) -> Any:
        return self._decode(self._cache["mutable"])


class _DictPeer:
    def __init__(self) -> None:
        self._values = {"scalar": _SCALAR}

    async def get(self) -> str:
        return self._values["scalar"]


async def _timed(get: Callable[[], Awaitable[object]]) -> float:
    """Nanoseconds a call."""
    begun = time.perf_counter_ns()
    for _ in range(_GETS):
        await get()
    return (time.perf_counter_ns() - begun) / _GETS
