"""The telemetry service."""

from prometheus_client import CollectorRegistry, generate_latest

from bedplate.services.base import Service
from bedplate.services.engines.redactor import Redactor
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry.meter import Meter

__all__ = ["TelemetryService"]


class TelemetryService(Service):
    """Structured logs and metrics.

    Attributes:
        meter: Makes the instruments of every service.
    """

    type = ServiceType.TELEMETRY

    def __init__(self, settings: SettingsService, redactor: Redactor) -> None:
        self._redactor = redactor
        self._settings = settings.values.telemetry
        self._registry = CollectorRegistry()
        self.meter = Meter(self._registry)

    def exposition(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)
