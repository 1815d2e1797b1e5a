"""The backends of the tracing service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.redactor import Redactor
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing.service import TracingService

__all__ = ["build_tracing"]


@service_factory(
    ServiceType.TRACING,
    Backend(name="database", target="bedplate.services.tracing.database:exporters"),
    Backend(name="off", target="bedplate.services.tracing.off:exporters"),
    planned=("otlp", "langfuse", "langsmith", "langwatch", "opik", "phoenix"),
)
def build_tracing(
    settings: SettingsService, telemetry: TelemetryService, database: DatabaseService, redactor: Redactor
) -> TracingService:
    """Build the tracing service from its settings."""
    backend = build_tracing.choose(settings).backend
    exporters = backend.load(ServiceType.TRACING)
    service = TracingService(settings, telemetry, database, redactor, exporters(database))
    service.backend = backend.name
    return service
