"""The backends of the cache service."""

from collections.abc import Callable

from bedplate.services.backends import Backend, service_factory
from bedplate.services.cache.backend import CacheBackend
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.service import CacheService
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_cache"]


@service_factory(
    ServiceType.CACHE,
    Backend(name="memory", target="bedplate.services.cache.memory:MemoryBackend"),
    Backend(name="disk", target="bedplate.services.cache.disk:DiskBackend", needs=("workers",)),
    Backend(name="redis", target="bedplate.services.cache.redis:RedisBackend", extra="redis", needs=("redis",)),
    Backend(name="two_tier", target="bedplate.services.cache.two_tier:TwoTierBackend", extra="redis", needs=("redis",)),
)
def build_cache(
    settings: SettingsService,
    telemetry: TelemetryService,
    workers: Workers,
    redis: Callable[[], RedisEngine] | None = None,
) -> CacheService:
    """Build the cache service from its settings; ``redis`` is called for the engine if the backend needs it."""
    codec = Codec()
    choice = build_cache.choose(settings)
    engines = {"redis": redis()} if redis is not None and "redis" in choice.backend.needs else {}
    store: CacheBackend = choice.make(settings, codec, workers=workers, **engines)
    return CacheService(settings, telemetry, store, codec)
