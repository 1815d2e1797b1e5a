"""The backends of the cache service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.cache.backend import CacheBackend, Limits
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
)
def build_cache(settings: SettingsService, telemetry: TelemetryService, workers: Workers) -> CacheService:
    """Build the cache service from its settings."""
    backend = build_cache.choose(settings).backend
    cls = backend.load(ServiceType.CACHE)
    values = settings.values.cache
    limits = Limits(entries=values.max_entries, bytes=values.max_bytes)
    codec = Codec()
    store: CacheBackend
    if backend.name == "memory":
        store = cls(limits, codec.decode)
    else:
        path = settings.values.data_dir / "cache.sqlite3"
        store = cls(path, limits, workers, busy_timeout=values.busy_timeout)
    return CacheService(settings, telemetry, store, codec)
