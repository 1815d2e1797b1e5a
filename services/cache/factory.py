"""The backends of the cache service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.cache.backend import CacheBackend
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.service import CacheService
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_cache"]


@service_factory(
    ServiceType.CACHE,
    Backend(name="memory", target="bedplate.services.cache.memory:MemoryBackend"),
    Backend(name="disk", target="bedplate.services.cache.disk:DiskBackend", needs=("workers",)),
    planned=("redis",),
)
def build_cache(settings: SettingsService, telemetry: TelemetryService, workers: Workers) -> CacheService:
    """Build the cache service from its settings."""
    codec = Codec()
    store: CacheBackend = build_cache.choose(settings).make(settings, codec, workers=workers)
    return CacheService(settings, telemetry, store, codec)
