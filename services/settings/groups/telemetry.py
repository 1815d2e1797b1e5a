"""Settings of the telemetry service."""

from typing import Literal

from pydantic import Field, HttpUrl, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["TelemetrySettings"]


class TelemetrySettings(ServiceSettings):
    """Logs and metrics (``BEDPLATE_TELEMETRY__*``)."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log records that are written."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How log records look; ``auto`` is console on a terminal and JSON elsewhere."""
    log_handler: Literal["auto", "own", "app"] = "auto"
    """Who writes log records: Bedplate to standard error (``own``), or the handlers of the application that it is a
    guest in (``app``); ``auto`` leaves it to the application where that has configured logging."""
    max_label_values: int = Field(default=100, ge=1)
    """Most values of one label of a metric; further ones are counted together as ``other``."""
    max_series: int = Field(default=1_000, ge=1)
    """Most combinations of label values of a metric; further ones are counted together as ``other``."""
    operations: bool = True
    """Whether the public operations of all services are counted and timed, which takes about half a microsecond each;
    turned off, it takes nothing."""
    flush_timeout: Seconds = 5.0
    """Seconds that a stop waits for what is not delivered yet to an OpenTelemetry collector."""
    usage_endpoint: HttpUrl | None = None
    """Where a report of usage is sent once a day; unset: nowhere. docs/services/telemetry.md lists all that it says."""
    scrape_token: SecretStr | None = None
    """Bearer token with which a scraper may read /metrics and /api/v1/services."""
