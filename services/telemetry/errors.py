"""Errors of the telemetry service."""

from bedplate.services.errors import InvalidInputError
from bedplate.services.schema import ServiceType

__all__ = ["MetricError"]


class MetricError(InvalidInputError, ValueError):
    """A metric is declared or used wrongly: a mistake in code.

    Args:
        what: What is wrong, naming the metric.
        fix: What to write instead.
    """

    code = "metric"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.TELEMETRY, fix=fix)
