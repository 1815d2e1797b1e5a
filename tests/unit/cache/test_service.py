"""The service around the backends: choice, metrics, purging, and the defects of caches before it."""

import asyncio
import sys

import pytest

from bedplate.services.cache import MISS, CacheKeyError, CacheService, CacheStats, CacheStorageError, UncacheableError
from bedplate.services.cache.disk import DiskBackend
from bedplate.services.cache.factory import build_cache
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.cache.service import CacheService as Service
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService


async def test_the_setting_chooses_the_backend(
    settings: SettingsService, telemetry: TelemetryService, workers: Workers
) -> None:
    """CACHE-6: memory by default, disk by setting, anything else refused by name."""
    assert build_cache(settings, telemetry, workers).backend == "memory"
    disk = SettingsService(profile="test", data_dir=settings.values.data_dir, cache={"backend": "disk"})
    service = build_cache(disk, telemetry, workers)
    assert service.backend == "disk"
    assert isinstance(service._backend, DiskBackend)
    wrong = SettingsService(profile="test", cache={"backend": "cloud"})
    with pytest.raises(ConfigurationError, match=r"'cloud'.*memory, disk"):
        build_cache(wrong, telemetry, workers)


def test_a_backend_that_is_not_chosen_is_not_imported() -> None:
    """ALL-2: importing the service imports neither sqlite3 nor a backend."""
    import subprocess

    script = "import sys, bedplate.services.cache.factory; print('bedplate.services.cache.disk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


async def test_metrics_by_namespace(cache: CacheService, telemetry: TelemetryService) -> None:
    """CACHE-7: hits, misses, loads, evictions and sizes reach /metrics, by namespace."""

    async def load() -> int:
        return 1

    await cache.get("a")
    await cache.namespace("graphs").get_or_set("a", load)
    await cache.namespace("graphs").get("a")
    text = telemetry.exposition().decode()
    for field in CacheStats.__struct_fields__:
        assert f"\nbedplate_cache_{field}" in text
    assert 'bedplate_cache_misses_total{namespace="default"} 1.0' in text
    assert 'bedplate_cache_hits_total{namespace="graphs"} 1.0' in text
    assert 'bedplate_cache_loads_total{namespace="graphs"} 1.0' in text
    assert 'bedplate_cache_entries{namespace="graphs"} 1.0' in text
    assert 'bedplate_cache_evictions_total{namespace="graphs"} 0.0' in text
    assert 'bedplate_cache_bytes{namespace="graphs"} 2.0' in text


async def test_a_flood_of_keys_and_tags_makes_no_series(cache: CacheService, telemetry: TelemetryService) -> None:
    """CACHE-7: labels are namespaces alone, and those beyond the bound of a metric are counted together."""
    small = cache.namespace("n")
    for number in range(200):
        await small.set(f"key {number}", number, tags=[f"tag {number}"])
        await small.get(f"other {number}")
    for number in range(2_000):
        try:
            cache.namespace(f"namespace-{number}")
        except CacheKeyError:
            break
    lines = [line for line in telemetry.exposition().decode().splitlines() if line.startswith("bedplate_cache_misses")]
    assert 100 <= len(lines) <= 101
    assert 'bedplate_cache_misses_total{namespace="n"} 200.0' in lines


async def test_expired_values_are_purged_without_being_asked_for(
    settings: SettingsService, telemetry: TelemetryService, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CACHE-3: at intervals; a round that fails is logged, and the next one comes."""
    rounds = asyncio.Queue[int]()
    failures = [CacheStorageError("no", why="x", fix="y")]
    original = MemoryBackend.purge

    async def purge(self: MemoryBackend, every: float | None = None) -> int:
        if failures:
            raise failures.pop()
        number = await original(self, every)
        rounds.put_nowait(number)
        return number

    monkeypatch.setattr(MemoryBackend, "purge", purge)
    fast = SettingsService(profile="test", cache={"purge_interval": 0.001})
    cache = build_cache(fast, telemetry, workers)
    await cache.start()
    await cache.set("a", 1, ttl=0.002)
    while not await rounds.get():
        pass
    assert cache.stats().entries == 0
    await cache.stop()


async def test_registered_types_of_an_application(cache: CacheService) -> None:
    """CACHE-4: registered once, allowed in every namespace."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Plan:
        steps: tuple[str, ...]

    with pytest.raises(UncacheableError, match="Plan"):
        await cache.set("a", Plan(("x",)))
    cache.register(Plan)
    await cache.namespace("plans").set("a", {"plan": Plan(("x",))})
    assert await cache.namespace("plans").get("a") == {"plan": Plan(("x",))}


async def test_a_restart_leaves_no_task_behind(cache: CacheService) -> None:
    """ALL-1: twenty restarts end with as many tasks as they began with."""
    before = len(asyncio.all_tasks())
    for _ in range(20):
        await cache.stop()
        await cache.start()
    assert len(asyncio.all_tasks()) == before


def test_no_serialiser_that_runs_code_is_near() -> None:
    """CACHE-4: neither pickle nor dill nor marshal is imported by any module of the service."""
    import ast
    from pathlib import Path

    folder = Path(sys.modules[Service.__module__].__file__ or "").parent
    imported = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert "sqlite3" in imported
    assert not imported & {"pickle", "dill", "marshal", "shelve", "cloudpickle"}


class TestDefectsOfOtherCaches:
    """What went wrong in caches that this one replaces."""

    async def test_upsert_does_not_wait_for_itself(self, cache: CacheService) -> None:
        async with asyncio.timeout(5):
            await cache.upsert("a", {"x": 1})
            assert await cache.upsert("a", {"y": 2}) == {"x": 1, "y": 2}

    async def test_bytes_are_never_interpreted(self, cache: CacheService) -> None:
        await cache.set("a", b"raw")
        assert await cache.get("a") == b"raw"

    async def test_no_time_to_live_is_no_error(self, cache: CacheService) -> None:
        await cache.set("a", 1, ttl=None)
        assert await cache.get("a") == 1

    async def test_a_live_object_is_refused_rather_than_shared(self, cache: CacheService) -> None:
        for value in (asyncio.Lock(), sys.stdout, asyncio.get_running_loop()):
            with pytest.raises(UncacheableError, match=type(value).__name__):
                await cache.set("a", value)
        assert await cache.get("a") is MISS


async def test_a_broken_disk_does_not_fill_the_log(
    settings: SettingsService,
    telemetry: TelemetryService,
    workers: Workers,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CACHE-2: every caller gets the loaded value, and the log one warning of a kind, with how many were left out."""

    async def broken(self: DiskBackend, *args: object) -> None:
        raise CacheStorageError("no", why="x", fix="y")

    async def load() -> str:
        return "loaded"

    disk = SettingsService(profile="test", data_dir=settings.values.data_dir, cache={"backend": "disk"})
    cache = build_cache(disk, telemetry, workers)
    await cache.start()
    with monkeypatch.context() as patch:
        patch.setattr(DiskBackend, "get", broken)
        patch.setattr(DiskBackend, "put", broken)
        for number in range(20):
            assert await cache.get_or_set(f"k{number}", load) == "loaded"
        assert len(caplog.messages) == 2
        patch.setattr("bedplate.services.cache.core.WARNING_INTERVAL", 0)
        assert await cache.get_or_set("k", load) == "loaded"
    assert "left_out=19" in caplog.text
    assert cache.stats().unstored == 21
    await cache.stop()


async def test_a_subclass_may_have_a_get_of_its_own(
    settings: SettingsService, telemetry: TelemetryService, cache: CacheService
) -> None:
    """CACHE-1: the short cut of the hot path does not hide an application's override."""

    class Loud(CacheService):
        async def get(self, key: str) -> str:
            return f"loud {await super().get(key)}"

    loud = Loud(settings, telemetry, cache._core.store, cache._core.codec)
    await loud.start()
    await loud.set("a", 1)
    assert await loud.get("a") == "loud 1"
    await loud.stop()
