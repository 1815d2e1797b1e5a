"""Settings of the telemetry service."""

from typing import Literal

from pydantic import SecretStr

from bedplate.services.settings.groups.base import ServiceSettings

__all__ = ["TelemetrySettings"]


class TelemetrySettings(ServiceSettings):
    """Logs and metrics (``BEDPLATE_TELEMETRY__*``)."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log records that are written."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How log records look; ``auto`` is console on a terminal and JSON elsewhere."""
    scrape_token: SecretStr | None = None
    """Bearer token with which a scraper may read /metrics and /api/v1/services."""
