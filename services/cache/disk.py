"""The cache in a file: bounded like the one in memory, and still there after a restart."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from bedplate.services.cache.backend import Counts, Limits, Reader, Stale, Terms, Usage
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.disk_file import CacheFile
from bedplate.services.cache.errors import CacheStorageError
from bedplate.services.cache.models import Item
from bedplate.services.engines.workers import WorkerPool, Workers
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService

__all__ = ["DiskBackend"]

P = ParamSpec("P")
T = TypeVar("T")

_log = get_logger("bedplate.cache")

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FIXES = {
    sqlite3.SQLITE_BUSY: "wait for the other process, or raise BEDPLATE_CACHE__BUSY_TIMEOUT",
    sqlite3.SQLITE_FULL: "make room on the disk, or lower BEDPLATE_CACHE__MAX_BYTES",
}
_FIX = "let this process write to the folder, or set another BEDPLATE_DATA_DIR"
_MAX_WAITING = 100_000


class DiskBackend:
    """Keeps items in a SQLite file, which one worker thread reads and writes.

    A file that turns out to be corrupt is put aside, with a warning, and a new one begun: a cache can be empty, but it
    must not keep the application from starting. The last such file is kept, with ``.corrupt`` after its name.

    Args:
        path: The file; its folder is made at start.
        limits: How much to keep.
        workers: The threads.
        busy_timeout: Seconds to wait for another process that is writing to the file.
        clock: Seconds of wall-clock time.
    """

    name = "disk"
    instant = near = False
    leases = None

    def __init__(
        self,
        path: Path,
        limits: Limits,
        workers: Workers,
        *,
        busy_timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.evictions: dict[str, int] = {}
        self._path = path
        self._limits = limits
        self._workers = workers
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._file: CacheFile | None = None
        self._usage: dict[str, Usage] = {}

    @classmethod
    def from_settings(cls, settings: SettingsService, _codec: Codec, *, workers: Workers) -> Self:
        """See :class:`~bedplate.services.cache.backend.CacheBackend`."""
        values = settings.values.cache
        path = settings.values.data_dir / "cache.sqlite3"
        return cls(path, Limits.of(values), workers, busy_timeout=values.busy_timeout)

    async def start(self) -> None:
        """Open the file, and make it where there is none.

        Raises:
            CacheStorageError: It cannot be opened.
        """
        self._usage = await self._run(lambda file: file.usage())

    async def stop(self) -> None:
        """Close the file."""
        if self._workers.started:
            await self._pool().run(self._close)
        else:
            self._close()

    async def check(self) -> None:
        """Raise if the file cannot be read."""
        await self._run(lambda file: file.left("", ""))

    def reader(self, namespace: str, counts: Counts, otherwise: Reader) -> None:
        """None: every answer waits for the thread."""

    async def get(self, namespace: str, keys: Iterable[str]) -> dict[str, Item]:
        """The items that are there, now marked as used."""
        wanted = list(keys)
        return await self._run(lambda file: file.get(namespace, wanted))

    async def stale(self, namespace: str, key: str) -> Stale | None:
        """An item that is there, or is within its grace, now marked as used."""
        return await self._run(lambda file: file.stale(namespace, key))

    async def put(self, namespace: str, items: Mapping[str, Item], terms: Terms) -> bool:
        """Keep the items, each in place of what was there; whether they were kept."""
        evicted = await self._run(lambda file: file.put(namespace, items, terms))
        self._count(evicted or {})
        return evicted is not None

    async def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], terms: Terms, keep: bool
    ) -> Item:
        """Replace an item by what ``change`` makes of it, in the thread, in one transaction."""
        failure: Exception | None = None

        def guarded(item: Item | None) -> Item:
            nonlocal failure
            try:
                return change(item)
            except Exception as error:
                failure = error
                raise

        try:
            item, evicted = await self._run(lambda file: file.update(namespace, key, guarded, terms, keep))
        except CacheStorageError:
            if failure is not None:  # it was not the file that failed
                raise failure from None
            raise
        self._count(evicted)
        return item

    async def delete(self, namespace: str, key: str) -> bool:
        """Forget an item; whether it was there."""
        return await self._run(lambda file: file.delete(namespace, key))

    async def left(self, namespace: str, key: str) -> float | None:
        """Seconds that an item still has; None: it is not there."""
        return await self._run(lambda file: file.left(namespace, key))

    async def touch(self, namespace: str, key: str, lifetime: float) -> bool:
        """Give an item a new lifetime, and mark it as used; whether it was there."""
        return await self._run(lambda file: file.touch(namespace, key, lifetime))

    async def clear(self, namespace: str) -> int:
        """Forget a whole namespace; how many items there were."""
        return await self._run(lambda file: file.clear(namespace))

    async def purge(self, every: float | None = None) -> int:
        """Remove what has expired; how many items there were. Brings :meth:`usage` up to date."""
        purged, self._usage = await self._run(lambda file: (file.purge(), file.usage()))
        return purged

    async def moment(self, namespace: str, tags: Collection[str]) -> object:
        """The generation that the file is in."""
        return await self._run(lambda file: file.moment())

    async def invalidate(self, namespace: str, tags: Collection[str]) -> None:
        """Let every item that has one of the tags be gone; they are removed when the file is purged."""
        await self._run(lambda file: file.invalidate(namespace, tags))

    def usage(self) -> Mapping[str, Usage]:
        """How much each namespace takes up, as of the last purge."""
        return self._usage

    def _count(self, evicted: Mapping[str, int]) -> None:
        for namespace, number in evicted.items():
            self.evictions[namespace] = self.evictions.get(namespace, 0) + number

    def _pool(self) -> WorkerPool:
        return self._workers.pool("cache", 1, _MAX_WAITING)

    async def _run(self, operation: Callable[[CacheFile], T]) -> T:
        return await self._pool().run(self._try, operation)

    # What follows runs in the thread.

    def _try(self, operation: Callable[[CacheFile], T]) -> T:
        try:
            return self._work(operation)
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            raise CacheStorageError(
                f"the cache file {self._path} cannot be used",
                why=f"{type(error).__name__}: {error}",
                fix=_FIXES.get(code, _FIX),
            ) from error

    def _work(self, operation: Callable[[CacheFile], T]) -> T:
        try:
            return operation(self._open())
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _CORRUPT:
                raise
            self._put_aside(error)
            return operation(self._open())

    def _open(self) -> CacheFile:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Made here, so that nobody else can read it: cached values may be private.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._file = CacheFile(self._path, self._limits, busy_timeout=self._busy_timeout, clock=self._clock)
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._close()
        aside = self._path.with_name(f"{self._path.name}.corrupt")
        _log.warning("the cache file is corrupt and was put aside", file=self._path, aside=aside, error=error)
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
