"""The backends of the store service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.cache import CacheService
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.store.backend import StoreBackend
from bedplate.services.store.local import LocalStore
from bedplate.services.store.service import StoreService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService

__all__ = ["build_store"]


@service_factory(
    ServiceType.STORE,
    # Documents are checked by workers, wherever they are kept.
    Backend(name="local", target="bedplate.services.store.local:LocalStore", needs=("workers",), reach="all"),
    Backend(name="remote", target="bedplate.services.store.remote:RemoteStore", needs=("workers", "http")),
    Backend(name="directus", target="bedplate.services.store.directus:DirectusStore", needs=("workers", "http")),
)
def build_store(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    cache: CacheService,
    keyring: Keyring,
    redactor: Redactor,
    workers: Workers,
    http: HttpEngine,
    variable: VariableService,
) -> StoreService:
    """Build the store service from its settings."""
    store: StoreBackend = build_store.choose(settings).make(settings, telemetry, database, cache, http=http)
    local = None if isinstance(store, LocalStore) else LocalStore.from_settings(settings, telemetry, database, cache)
    return StoreService(settings, database, keyring, redactor, workers, variable, store, local)
