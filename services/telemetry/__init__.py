"""The telemetry service: structured logs and metrics."""

from bedplate.services.telemetry.errors import MetricError
from bedplate.services.telemetry.instruments import Counter, Gauge, Histogram, UpDownCounter
from bedplate.services.telemetry.meter import Meter
from bedplate.services.telemetry.operations import OperationStats
from bedplate.services.telemetry.service import TelemetryService

__all__ = [
    "Counter",
    "Gauge",
    "Histogram",
    "Meter",
    "MetricError",
    "OperationStats",
    "TelemetryService",
    "UpDownCounter",
]
