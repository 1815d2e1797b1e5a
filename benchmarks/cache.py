"""Reading from the memory backend of the cache, many misses at once, and the disk backend beside bare SQLite."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from cachetools import TTLCache

from bedplate.services.cache import CacheService
from bedplate.services.engines.workers import WorkerPool
from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_GETS = 20_000
_DISK = 300
_MUTABLE = {"name": "a flow", "tags": ["one", "two"], "count": 3, "nested": {"x": 1.5}}
_SCALAR = "an immutable scalar"


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Hits on a mutable and on an immutable value, the loads of a thousand concurrent misses, and sets on a disk."""
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
    yield from _disk_rows(runner)


def _disk_rows(runner: asyncio.Runner) -> Iterator[Row]:
    on_disk = {"cache": {"backend": "disk"}}
    with temporary_folder() as folder, run_in(runner, folder, "cache", **on_disk) as container:
        peer = _SQLitePeer(Path(folder) / "peer.sqlite3", container.workers().pool("peer", 1))
        cache = container.cache()
        for name, subject, bare in (
            ("set", lambda: _disk_sets(cache), peer.sets),
            ("get", lambda: _disk_gets(cache), peer.gets),
        ):
            yield ratio(
                f"cache {name}, disk backend",
                subject,
                bare,
                against="one thread hop with the same statement of SQLite",
                unit="µs",
                aim=Aim("≤", 1.5),
                runner=runner,
            )
        runner.run(peer.close())


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


class _SQLitePeer:
    """A table of keys, values and times in a file with the same settings, and nothing else."""

    def __init__(self, path: Path, pool: WorkerPool) -> None:
        self._pool = pool
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE entries (namespace TEXT, key TEXT, data BLOB, due REAL, PRIMARY KEY (namespace, key))"
        )

    async def sets(self) -> float:
        begun = time.perf_counter()
        for number in range(_DISK):
            await self._pool.run(self._set, f"key {number}")
        return (time.perf_counter() - begun) / _DISK * 1e6

    async def gets(self) -> float:
        begun = time.perf_counter()
        for number in range(_DISK):
            assert await self._pool.run(self._get, f"key {number}") == _MUTABLE
        return (time.perf_counter() - begun) / _DISK * 1e6

    async def close(self) -> None:
        await self._pool.run(self._db.close)

    def _set(self, key: str) -> None:
        row = ("default", key, msgspec.msgpack.encode(_MUTABLE), time.time() + 3600)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", row)
        self._db.execute("COMMIT")

    def _get(self, key: str) -> Any:
        where = "WHERE namespace = ? AND key = ? AND due > ?"
        statement = f"SELECT data FROM entries {where}"
        return msgspec.msgpack.decode(self._db.execute(statement, ("default", key, time.time())).fetchone()[0])


async def _disk_sets(cache: CacheService) -> float:
    begun = time.perf_counter()
    for number in range(_DISK):
        await cache.set(f"key {number}", _MUTABLE)
    return (time.perf_counter() - begun) / _DISK * 1e6


async def _disk_gets(cache: CacheService) -> float:
    begun = time.perf_counter()
    for number in range(_DISK):
        assert await cache.get(f"key {number}") == _MUTABLE
    return (time.perf_counter() - begun) / _DISK * 1e6


async def _timed(get: Callable[[], Awaitable[object]]) -> float:
    """Nanoseconds a call."""
    begun = time.perf_counter_ns()
    for _ in range(_GETS):
        await get()
    return (time.perf_counter_ns() - begun) / _GETS
