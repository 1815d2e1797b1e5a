"""The backends of the tracing service, and the vendors beside them."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import ConfigurationError, MissingExtraError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing.service import TracingService
from bedplate.services.tracing.vendor_names import may_have_vendors

if TYPE_CHECKING:
    from bedplate.services.tracing.vendors.fanout import Fanout

__all__ = ["build_tracing"]


@service_factory(
    ServiceType.TRACING,
    Backend(name="database", target="bedplate.services.tracing.database:exporters"),
    Backend(name="vendors", target="bedplate.services.tracing.off:exporters"),
    Backend(name="off", target="bedplate.services.tracing.off:exporters"),
    beside=("otlp", "langfuse", "langwatch", "langsmith", "phoenix", "opik"),
)
def build_tracing(
    settings: SettingsService, telemetry: TelemetryService, database: DatabaseService, redactor: Redactor
) -> TracingService:
    """Build the tracing service from its settings.

    Raises:
        ConfigurationError: The settings name a vendor in a way that cannot work. One that only the environment names
            is left out, and what is wrong is found by the checks: its variables may be meant for others.
        MissingExtraError: The settings name a vendor, and the libraries for it are not installed.
    """
    backend = build_tracing.choose(settings).backend
    exporters = backend.load(ServiceType.TRACING)
    fanout = _fanout(settings, telemetry, redactor, os.environ)
    service = TracingService(settings, telemetry, database, redactor, exporters(database), fanout)
    service.backend = backend.name
    return service


def _fanout(
    settings: SettingsService, telemetry: TelemetryService, redactor: Redactor, environment: Mapping[str, str]
) -> "Fanout | None":
    values = settings.values.tracing
    if not may_have_vendors(values, environment):
        return None
    # Imported by those who have vendors.
    from bedplate.services.tracing.vendors.registry import content_allowed, service_name, set_up

    found = set_up(values, environment)
    for problem in found.problems:
        if problem.by_settings:
            raise ConfigurationError(
                f"{problem.vendor} cannot be told of runs: {problem.what}", service=ServiceType.TRACING, fix=problem.fix
            )
    for name, destination in found.destinations.items():
        for secret in destination.credentials:
            redactor.register(secret, holder=f"tracing.{name}")
    if not found.destinations:
        return None
    try:
        from bedplate.services.tracing.vendors.fanout import Fanout
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bedplate"):
            raise
        if not found.by_settings:
            return None
        extra = min(found.by_settings) if found.by_settings != {"otlp"} else "opentelemetry"
        raise MissingExtraError(extra, module=error.name or "opentelemetry", service=ServiceType.TRACING) from error
    return Fanout(
        found.destinations,
        values,
        telemetry.meter,
        content=content_allowed(values, environment),
        service_name=service_name(environment),
    )
