"""The backends of the telemetry service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.engines.redactor import Redactor
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry.service import TelemetryService

__all__ = ["build_telemetry"]


@service_factory(
    ServiceType.TELEMETRY,
    Backend(name="embedded", target="bedplate.services.telemetry.service:TelemetryService"),
    Backend(name="otlp", target="bedplate.services.telemetry.otlp:OtlpTelemetry", extra="opentelemetry"),
)
def build_telemetry(settings: SettingsService, redactor: Redactor) -> TelemetryService:
    """Build the telemetry service from its settings."""
    backend = build_telemetry.choose(settings).backend
    service: TelemetryService = backend.load(ServiceType.TELEMETRY)(settings, redactor)
    return service
