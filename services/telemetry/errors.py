"""Errors of the telemetry service."""

from bedplate.services.errors import ConfigurationError, InvalidInputError
from bedplate.services.schema import ServiceType

__all__ = ["MetricError", "OtelPackageError", "OtelSettingError"]


class MetricError(InvalidInputError, ValueError):
    """A metric is declared or used wrongly: a mistake in code.

    Args:
        what: What is wrong, naming the metric.
        fix: What to write instead.
    """

    code = "metric"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.TELEMETRY, fix=fix)


class OtelSettingError(ConfigurationError):
    """One of the standard variables of OpenTelemetry is wrong.

    Args:
        name: The variable.
        what: What is wrong with it; its value may be a secret, and is not shown.
        fix: What to set it to.
    """

    code = "otel_setting"

    def __init__(self, name: str, what: str, *, fix: str) -> None:
        super().__init__(f"{name} {what}", service=ServiceType.TELEMETRY, fix=fix)
        self.name = name


class OtelPackageError(ConfigurationError):
    """OTLP over gRPC is asked for, and its package is not installed.

    Args:
        module: The module that could not be imported.
    """

    code = "otel_package"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"OTEL_EXPORTER_OTLP_PROTOCOL asks for grpc, and the module {module!r} is not installed",
            service=ServiceType.TELEMETRY,
            fix="pip install opentelemetry-exporter-otlp-proto-grpc, or set it to http/protobuf",
        )
