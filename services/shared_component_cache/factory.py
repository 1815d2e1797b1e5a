"""The backends of the shared component cache service."""

from collections.abc import Callable

from bedplate.services.backends import Backend, service_factory
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache.peers import Peers
from bedplate.services.shared_component_cache.service import SharedComponentCacheService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_shared_component_cache"]


@service_factory(
    ServiceType.SHARED_COMPONENT_CACHE,
    Backend(
        name="memory",
        target="bedplate.services.shared_component_cache.service:SharedComponentCacheService",
        # Replicas of one release read the same definitions.
        reach="all",
    ),
    Backend(
        name="redis",
        target="bedplate.services.shared_component_cache.redis:RedisPeers",
        extra="redis",
        needs=("redis",),
    ),
)
def build_shared_component_cache(
    settings: SettingsService,
    telemetry: TelemetryService,
    workers: Workers,
    redis: Callable[[], RedisEngine] | None = None,
) -> SharedComponentCacheService:
    """Build the shared component cache service from its settings; ``redis`` is called if replicas meet there."""
    choice = build_shared_component_cache.choose(settings)
    peers: Peers | None = None
    if redis is not None and "redis" in choice.needs:
        peers = choice.make(settings, redis=redis())
    return SharedComponentCacheService(settings, telemetry, workers, peers)
