"""A container whose telemetry goes to a collector of the test."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.servers.otlp import Collector

from bedplate.containers import ApplicationContainer


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, otlp: Collector) -> dict[str, str]:
    """The variables of OpenTelemetry that the process has; nothing waits longer than it must."""
    given = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=a-key-of-the-collector",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests,service.version=7",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_BLRP_SCHEDULE_DELAY": "20",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


@pytest.fixture
def container_settings(container_settings: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    return container_settings | {"telemetry": {"backend": "otlp", "log_level": "info"}}


@pytest.fixture
def stop(container: ApplicationContainer) -> Callable[[], Awaitable[object]]:
    """Stops the container, after which all is delivered that is going to be."""
    return container.shutdown_resources
