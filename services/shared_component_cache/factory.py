"""The backends of the shared component cache service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
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
)
def build_shared_component_cache(
    settings: SettingsService, telemetry: TelemetryService, workers: Workers
) -> SharedComponentCacheService:
    """Build the shared component cache service from its settings."""
    backend = build_shared_component_cache.choose(settings).backend
    service: SharedComponentCacheService = backend.load(ServiceType.SHARED_COMPONENT_CACHE)(
        settings, telemetry, workers
    )
    return service
