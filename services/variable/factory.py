"""The backends of the variable service."""

from collections.abc import Callable

from bedplate.services.auth import AuthService
from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.kubernetes import KubernetesEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable.audit import AuthTrail
from bedplate.services.variable.backend import VariableBackend
from bedplate.services.variable.service import VariableService

__all__ = ["build_variable"]


@service_factory(
    ServiceType.VARIABLE,
    Backend(name="database", target="bedplate.services.variable.database:DatabaseVariables", needs=("database",)),
    Backend(
        name="kubernetes",
        target="bedplate.services.variable.kubernetes:KubernetesVariables",
        extra="kubernetes",
        needs=("kubernetes",),
    ),
)
def build_variable(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    redactor: Redactor,
    auth: AuthService | None = None,
    kubernetes: Callable[[], KubernetesEngine] = KubernetesEngine,
) -> VariableService:
    """Build the variable service from its settings; without auth, the log of the process is its audit log.

    ``kubernetes`` is called for the engine if the backend needs it.
    """
    choice = build_variable.choose(settings)
    engines = {"kubernetes": kubernetes()} if "kubernetes" in choice.backend.needs else {}
    backend: VariableBackend = choice.make(settings, database=database, **engines)
    service = VariableService(settings, telemetry, keyring, redactor, backend, AuthTrail(auth) if auth else None)
    service.backend = choice.backend.name
    return service
