"""Caches at a real server, as replicas have them: each with clients of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bedplate.services.cache import CacheService
from bedplate.services.cache.factory import build_cache
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["Replica", "replica", "replicas"]


class Replica:
    """A started cache and its engine."""

    def __init__(self, settings: SettingsService) -> None:
        self.engine = RedisEngine(settings)
        telemetry = TelemetryService(settings, Redactor(settings))
        self.cache: CacheService = build_cache(settings, telemetry, Workers(), lambda: self.engine)


@asynccontextmanager
async def replica(
    url: str, backend: str = "redis", redis: dict[str, Any] | None = None, **cache: Any
) -> AsyncIterator[Replica]:
    """One replica with these settings of the cache."""
    made = Replica(
        SettingsService(
            profile="test",
            redis={"url": url, "command_timeout": 1.0, **(redis or {})},
            cache={"backend": backend, "ttl_jitter": 0, **cache},
        )
    )
    await made.engine.start()
    try:
        await made.cache.start()
        yield made
    finally:
        await made.cache.stop()
        await made.engine.stop()


@asynccontextmanager
async def replicas(number: int, url: str, backend: str = "redis", **cache: Any) -> AsyncIterator[list[CacheService]]:
    """Several caches with the same settings."""
    async with AsyncExitStack() as stack:
        yield [(await stack.enter_async_context(replica(url, backend, **cache))).cache for _ in range(number)]
