"""The backends of the database service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database.service import DatabaseService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_database"]


@service_factory(
    ServiceType.DATABASE,
    Backend(name="sqlite", target="bedplate.services.database.sqlite:SQLiteBackend"),
    Backend(
        name="postgres",
        target="bedplate.services.database.postgres:PostgresBackend",
        extra="postgres",
        requires=("database.url",),
    ),
)
def build_database(settings: SettingsService, telemetry: TelemetryService) -> DatabaseService:
    """Build the database service from its settings."""
    backend = build_database.choose(settings).backend
    return DatabaseService(settings, telemetry, backend.load(ServiceType.DATABASE)(settings))
