"""The telemetry service: structured logs and metrics."""

from bedplate.services.telemetry.meter import Counter, Gauge, Histogram, Meter, UpDownCounter
from bedplate.services.telemetry.service import TelemetryService

__all__ = ["Counter", "Gauge", "Histogram", "Meter", "TelemetryService", "UpDownCounter"]
