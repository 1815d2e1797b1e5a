"""CACHE-1 to CACHE-7: the backends of the cache, one suite for all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.cache import CacheService
from bedplate.services.cache.backend import CacheBackend, Limits
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.disk import DiskBackend
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cache import CacheConformance, ManualClock


class Harness:
    """Caches on one clock, and for the disk in one folder."""

    def __init__(self, backend: str, folder: Path, workers: Workers) -> None:
        self._backend = backend
        self._folder = folder
        self._workers = workers
        self._clock = ManualClock(1_000_000.0)
        self._made: list[CacheService] = []

    async def cache(self, **values: Any) -> CacheService:
        settings = SettingsService(profile="test", data_dir=self._folder, cache=values)
        limits = Limits(entries=settings.values.cache.max_entries, bytes=settings.values.cache.max_bytes)
        codec = Codec()
        store: CacheBackend
        if self._backend == "memory":
            store = MemoryBackend(limits, codec.decode, clock=self._clock)
        else:
            store = DiskBackend(self._folder / "cache.sqlite3", limits, self._workers, clock=self._clock)
        service = CacheService(settings, TelemetryService(settings, Redactor(settings)), store, codec)
        self._made.append(service)
        await service.start()
        return service

    async def advance(self, seconds: float) -> None:
        self._clock.now += seconds

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


class TestMemory(CacheConformance):
    @pytest.fixture
    async def harness(self, tmp_path: Path, workers: Workers) -> AsyncIterator[Harness]:
        harness = Harness("memory", tmp_path, workers)
        yield harness
        await harness.close()


class TestDisk(CacheConformance):
    survives_restart = True
    shared = True

    @pytest.fixture
    async def harness(self, tmp_path: Path, workers: Workers) -> AsyncIterator[Harness]:
        harness = Harness("disk", tmp_path, workers)
        yield harness
        await harness.close()
