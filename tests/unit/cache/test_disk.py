"""The disk backend: corrupt, locked, full and foreign files, and other processes."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.cache import MISS, CacheService, CacheStorageError
from bedplate.services.cache.disk_file import CacheFile
from bedplate.services.cache.factory import build_cache
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService


class Disk:
    """Disk caches in one folder."""

    def __init__(self, folder: Path, workers: Workers) -> None:
        self.path = folder / "cache.sqlite3"
        self._folder = folder
        self._workers = workers
        self._made: list[CacheService] = []

    def build(self, **values: Any) -> CacheService:
        settings = SettingsService(
            profile="test", data_dir=self._folder, cache={"backend": "disk", "busy_timeout": 0.05, **values}
        )
        service = build_cache(settings, TelemetryService(settings, Redactor(settings)), self._workers)
        self._made.append(service)
        return service

    async def open(self, **values: Any) -> CacheService:
        service = self.build(**values)
        await service.start()
        return service

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


@pytest.fixture
async def disk(tmp_path: Path, workers: Workers) -> AsyncIterator[Disk]:
    disk = Disk(tmp_path / "data", workers)
    yield disk
    await disk.close()


async def test_the_folder_is_made_and_the_file_is_private(disk: Disk) -> None:
    """CACHE-6: built without I/O; the file, and those beside it, are readable by nobody else."""
    service = disk.build()
    assert not disk.path.parent.exists()
    await service.start()
    await service.set("a", 1)
    files = list(disk.path.parent.iterdir())
    assert len(files) == 3
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


@pytest.mark.parametrize("damage", [b"this is no database, " * 500, b"", b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_a_corrupt_file_is_put_aside_at_start(
    disk: Disk, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """CACHE-6: with a warning; the application starts, with an empty cache, and the file is kept for a look."""
    disk.path.parent.mkdir()
    disk.path.write_bytes(damage)
    cache = await disk.open()
    await cache.set("a", [1])
    assert await cache.get("a") == [1]
    aside = disk.path.with_name("cache.sqlite3.corrupt")
    if damage:
        assert aside.read_bytes() == damage
        assert "put aside" in caplog.text
    else:
        assert not aside.exists()


async def test_a_file_that_becomes_corrupt_is_put_aside(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """CACHE-6: while running too: the operation that meets it works, and so does everything after it."""
    cache = await disk.open()
    await cache.set_many({f"k{number}": "x" * 500 for number in range(200)})
    await cache.stop()
    with disk.path.open("r+b") as file:
        for page in range(2, disk.path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    await cache.start()
    for number in range(200):
        await cache.get(f"k{number}")
    await cache.set("a", 1)
    assert await cache.get("a") == 1
    assert (await cache.health()).status == "up"
    assert "put aside" in caplog.text


async def test_the_database_of_something_else_is_not_touched(disk: Disk) -> None:
    """CACHE-6: a foreign file is put aside as it is, not written to."""
    disk.path.parent.mkdir()
    with sqlite3.connect(disk.path) as foreign:
        foreign.execute("CREATE TABLE treasure (gold)")
        foreign.execute("INSERT INTO treasure VALUES (1)")
    foreign.close()
    cache = await disk.open()
    await cache.set("a", 1)
    with sqlite3.connect(disk.path.with_name("cache.sqlite3.corrupt")) as kept:
        assert kept.execute("SELECT * FROM treasure").fetchall() == [(1,)]
    kept.close()


async def test_a_file_of_another_version_is_begun_anew(disk: Disk) -> None:
    cache = await disk.open()
    await cache.set("a", 1)
    await cache.stop()
    with sqlite3.connect(disk.path) as file:
        file.execute("PRAGMA user_version = 99")
        file.execute("ALTER TABLE entries ADD COLUMN more")
    file.close()
    await cache.start()
    assert await cache.get("a") is MISS
    await cache.set("a", 2)
    assert await cache.get("a") == 2


async def test_a_path_that_cannot_be_a_file(disk: Disk) -> None:
    """CACHE-6: start fails with an error that names file, cause and fix."""
    disk.path.mkdir(parents=True)
    with pytest.raises(CacheStorageError, match=r"cache\.sqlite3 cannot be used .*Is a directory.*Fix") as caught:
        await disk.open()
    assert caught.value.code == "cache_storage"


async def test_another_process_that_holds_the_file(disk: Disk) -> None:
    """CACHE-6: an error that says so after the timeout; reading goes on, and get_or_set loads without keeping."""
    cache = await disk.open()
    await cache.set("a", 1)
    holder = sqlite3.connect(disk.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(CacheStorageError, match=r"locked.*BUSY_TIMEOUT"):
            await cache.set("b", 2)
        assert await cache.get("a") == 1

        async def load() -> str:
            return "loaded"

        assert await cache.get_or_set("c", load) == "loaded"
        assert cache.stats().unstored == 1
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    await cache.set("b", 2)
    assert await cache.get_many("abc") == {"a": 1, "b": 2}


async def test_a_full_disk(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """CACHE-6: set fails with a typed error and loses nothing, get_or_set passes the loaded value on."""
    cache = await disk.open()
    await cache.set("a", 1)
    file = cache._backend._file  # type: ignore[attr-defined]
    assert isinstance(file, CacheFile)
    pages = file._db.execute("PRAGMA page_count").fetchone()[0]
    file._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CacheStorageError, match=r"full.*make room on the disk"):
        await cache.set("b", b"x" * 500_000)

    async def load() -> bytes:
        return b"x" * 500_000

    assert len(await cache.get_or_set("c", load)) == 500_000
    assert await cache.get_many("abc") == {"a": 1}
    file._db.execute("PRAGMA max_page_count = 1000000")
    await cache.set("b", b"x" * 500_000)
    assert await cache.get("a") == 1


async def test_a_value_that_cannot_be_read_any_more_is_a_miss(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """CACHE-4: such as one of a type that has changed since; it is loaded anew."""
    cache = await disk.open()
    await cache.set("a", {"x": (1,)})
    with sqlite3.connect(disk.path) as file:
        file.execute("UPDATE entries SET data = ?", (b"\xc7\x05\x08rubbish",))
    file.close()
    assert await cache.get("a") is MISS
    assert await cache.get_many(["a"]) == {}
    assert await cache.increment("a") == 1
    with sqlite3.connect(disk.path) as file:
        file.execute("UPDATE entries SET data = ?", (b"\xc1",))
    file.close()

    async def load() -> str:
        return "anew"

    assert await cache.get_or_set("a", load) == "anew"
    assert await cache.get("a") == "anew"
    assert "could not be read back" in caplog.text


async def test_two_processes_share_one_file(disk: Disk) -> None:
    """CACHE-6: neither loses an increment of the other, both see the other's values, and the bounds hold for both."""
    cache = await disk.open(max_entries=50, busy_timeout=30)
    script = textwrap.dedent("""
        import asyncio, sys
        from bedplate.services.cache.factory import build_cache
        from bedplate.services.engines.redactor import Redactor
        from bedplate.services.engines.workers import Workers
        from bedplate.services.settings import SettingsService
        from bedplate.services.telemetry import TelemetryService

        async def main():
            settings = SettingsService(
                profile="test",
                data_dir=sys.argv[1],
                cache={"backend": "disk", "max_entries": 50, "busy_timeout": 30},
            )
            workers = Workers()
            await workers.start()
            cache = build_cache(settings, TelemetryService(settings, Redactor(settings)), workers)
            await cache.start()
            for number in range(100):
                await cache.increment("n")
                await cache.set(f"theirs{number}", number)
            await cache.stop()
            await workers.stop()

        asyncio.run(main())
    """)
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(disk.path.parent), stderr=subprocess.PIPE
    )
    for number in range(100):
        await cache.increment("n")
        await cache.set(f"mine{number}", number)
    _, errors = await other.communicate()
    assert other.returncode == 0, errors.decode()
    assert await cache.get("n") == 200
    assert await cache.get("theirs99") == 99
    await cache.purge()
    assert cache.stats().entries == 50


async def test_a_killed_process_leaves_a_file_that_works(disk: Disk) -> None:
    """CACHE-6: what was set before a kill is there after it."""
    cache = await disk.open()
    await cache.set("a", [1])
    copy = disk.path.with_name("copy")
    copy.mkdir()
    for name in ("cache.sqlite3", "cache.sqlite3-wal"):  # the files as a killed process leaves them
        (copy / name).write_bytes(disk.path.with_name(name).read_bytes())
    disk.path = copy / "cache.sqlite3"
    disk._folder = copy
    second = await disk.open()
    assert await second.get("a") == [1]


async def test_the_file_shrinks_when_values_go(disk: Disk) -> None:
    """CACHE-3: the space of what has expired goes back to the file system."""
    cache = await disk.open()
    await cache.set("big", b"x" * 3_000_000)
    await cache.purge()
    await cache.stop()
    big = disk.path.stat().st_size
    await cache.start()
    await cache.delete("big")
    await cache.purge()
    await cache.stop()
    assert big > 3_000_000 > 300_000 > disk.path.stat().st_size


async def test_many_readers_do_not_make_the_list_of_uses_grow(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedplate.services.cache.disk_file.MAX_UNWRITTEN_USES", 10)
    cache = await disk.open()
    await cache.set_many({f"k{number}": number for number in range(100)})
    await asyncio.gather(*(cache.get(f"k{number}") for number in range(100)))
    file = cache._backend._file  # type: ignore[attr-defined]
    assert len(file._uses) <= 11


async def test_nothing_runs_on_the_event_loop(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """CACHE-6: every call of SQLite is made in the worker thread."""
    import threading

    threads: set[str] = set()
    original = CacheFile._row

    def noting(self: CacheFile, *args: Any) -> Any:
        threads.add(threading.current_thread().name)
        return original(self, *args)

    monkeypatch.setattr(CacheFile, "_row", noting)
    cache = await disk.open()
    await cache.set("a", 1)
    await asyncio.gather(*(cache.get("a") for _ in range(50)), cache.ttl("a"), cache.increment("a"))
    assert threads == {"bedplate-cache-0"}
