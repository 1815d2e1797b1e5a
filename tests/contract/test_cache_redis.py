"""CACHE-1 to CACHE-7: the cache at a Valkey server, alone and under one in memory, by the suite of all backends."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bedplate.services.cache import CacheService
from bedplate.services.cache.backend import CacheBackend, Limits
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.cache.near import NearTier
from bedplate.services.cache.redis import RedisBackend
from bedplate.services.cache.two_tier import TwoTierBackend
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cache import CacheConformance, ManualClock

_AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then
    if left > tonumber(ARGV[1]) then
      redis.call('PEXPIRE', key, left - ARGV[1])
    else
      redis.call('DEL', key)
    end
  end
end
"""
"""Time passes for a server that has a clock of its own by taking it from what its keys have left."""


class Harness:
    """Caches at one server, each with an engine of its own, as in processes of their own."""

    def __init__(self, backend: str, folder: Path, url: str) -> None:
        self._backend = backend
        self._folder = folder
        self._url = url
        self._clock = ManualClock(1_000_000.0)
        self._client = Redis.from_url(url)
        self._engines: list[RedisEngine] = []
        self._made: list[CacheService] = []

    async def cache(self, **values: Any) -> CacheService:
        settings = SettingsService(profile="test", data_dir=self._folder, cache=values, redis={"url": self._url})
        engine = RedisEngine(settings)
        self._engines.append(engine)
        await engine.start()
        codec = Codec()
        store: CacheBackend = RedisBackend.from_settings(settings, codec, redis=engine)
        if self._backend == "two_tier":
            memory = MemoryBackend(Limits.of(settings.values.cache), codec.decode, clock=self._clock)
            near = NearTier(memory, codec, settings.values.cache.memory_ttl)
            store = TwoTierBackend(near, RedisBackend.from_settings(settings, codec, redis=engine), engine)
        service = CacheService(settings, TelemetryService(settings, Redactor(settings)), store, codec)
        self._made.append(service)
        await service.start()
        return service

    async def advance(self, seconds: float) -> None:
        self._clock.now += seconds
        await self._client.eval(_AGE, 0, int(seconds * 1000))

    async def close(self) -> None:
        for service in self._made:
            await service.stop()
        for engine in self._engines:
            await engine.stop()
        await self._client.aclose()


class _AtAServer(CacheConformance):
    survives_restart = True
    shared = True
    bounded = False
    counts_expired = False


@pytest.mark.xdist_group("valkey")
class TestRedis(_AtAServer):
    @pytest.fixture
    async def harness(self, tmp_path: Path, valkey_url: str) -> AsyncIterator[Harness]:
        harness = Harness("redis", tmp_path, valkey_url)
        yield harness
        await harness.close()


@pytest.mark.xdist_group("valkey")
class TestTwoTier(_AtAServer):
    backend = "two_tier"

    @pytest.fixture
    async def harness(self, tmp_path: Path, valkey_url: str) -> AsyncIterator[Harness]:
        harness = Harness("two_tier", tmp_path, valkey_url)
        yield harness
        await harness.close()
