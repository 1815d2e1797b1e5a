"""CACHE-5 in the file of the disk backend: generations across processes, files and time."""

import asyncio
import sys
import textwrap

import pytest
from tests.unit.cache.test_disk import Disk, disk  # noqa: F401 - a fixture

from bedplate.services.cache import MISS, disk_tags
from bedplate.services.cache.backend import Terms
from bedplate.services.cache.codec import Codec
from bedplate.wiring.testing.cache.loads import Gate

_INVALIDATE = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from bedplate.services.cache.backend import Limits
    from bedplate.services.cache.disk_file import CacheFile

    file = CacheFile(Path(sys.argv[1]), Limits(entries=10, bytes=10_000), busy_timeout=5, clock=time.time)
    file.invalidate("default", sys.argv[2:])
    file.close()
    """
)


async def test_another_process_invalidates(disk: Disk) -> None:  # noqa: F811
    """CACHE-5: what is there, and what is being loaded meanwhile, is gone; what has other tags stays."""
    cache = await disk.open()
    await cache.set("a", 1, tags=["t"])
    await cache.set("b", 2, tags=["u"])
    gate = Gate("old")
    loading = asyncio.create_task(cache.get_or_set("c", gate.load, tags=["t"]))
    await gate.entered.wait()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _INVALIDATE, str(disk.path), "t")
    assert await process.wait() == 0
    gate.open.set()
    assert await loading == "old"
    assert await cache.get_many("abc") == {"b": 2}
    assert cache.stats().unstored == 1


async def test_generations_of_another_file_mean_nothing(disk: Disk) -> None:  # noqa: F811
    """CACHE-5: what was begun before a file was put aside is not kept in the one that was begun instead."""
    cache = await disk.open()
    store = cache._core.store
    for _ in range(5):
        await cache.invalidate("t")
    items = {"a": Codec().encode("old")}
    before = Terms(lifetime=10, tags=("t",), since=await store.moment("default", ["t"]))
    assert await store.put("default", items, before)
    await cache.stop()
    disk.path.write_bytes(b"no database" * 1_000)
    await cache.start()
    assert not await store.put("default", items, before)
    assert await cache.get("a") is MISS
    now = Terms(lifetime=10, tags=("t",), since=await store.moment("default", ["t"]))
    assert await store.put("default", items, now)
    assert await cache.get("a") == "old"


async def test_invalidations_do_not_pile_up(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """CACHE-5: the oldest are forgotten; a load that began before them is not kept, one that began after them is."""
    monkeypatch.setattr(disk_tags, "MAX_INVALIDATIONS", 3)
    cache = await disk.open()
    early, late = Gate("early"), Gate("late")
    first = asyncio.create_task(cache.get_or_set("a", early.load, tags=["kept"]))
    await early.entered.wait()
    for number in range(10):
        await cache.set(f"k{number}", number, tags=[f"t{number}"])
        await cache.invalidate(f"t{number}")
    second = asyncio.create_task(cache.get_or_set("b", late.load, tags=["kept"]))
    await late.entered.wait()
    await cache.purge()
    rows = await cache._core.store._run(  # type: ignore[attr-defined]
        lambda file: file._db.execute("SELECT count(*) FROM invalidations").fetchone()[0]
    )
    assert rows == 3
    assert await cache.get_many(f"k{number}" for number in range(10)) == {}
    early.open.set()
    late.open.set()
    assert (await first, await second) == ("early", "late")
    assert await cache.get("a") is MISS
    assert await cache.get("b") == "late"
