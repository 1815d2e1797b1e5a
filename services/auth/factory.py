"""The backends of the auth service."""

from bedplate.services.auth.policy import AuthorizationPolicy
from bedplate.services.auth.service import AuthService
from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_auth"]


@service_factory(
    ServiceType.AUTH,
    Backend(name="database", target="bedplate.services.auth.service:AuthService"),
)
def build_auth(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    http: HttpEngine,
    policy: AuthorizationPolicy,
) -> AuthService:
    """Build the auth service from its settings."""
    backend = build_auth.choose(settings).backend
    service: AuthService = backend.load(ServiceType.AUTH)(settings, telemetry, database, keyring, workers, http, policy)
    return service
