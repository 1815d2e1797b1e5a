"""The backends of the store service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.store.backend import StoreBackend
from bedplate.services.store.local import StoreLimits
from bedplate.services.store.service import StoreService
from bedplate.services.variable import VariableService

__all__ = ["build_store"]


@service_factory(
    ServiceType.STORE,
    Backend(name="local", target="bedplate.services.store.local:LocalStore", needs=("workers",)),
    planned=("remote",),
)
def build_store(
    settings: SettingsService,
    database: DatabaseService,
    keyring: Keyring,
    redactor: Redactor,
    workers: Workers,
    variable: VariableService,
) -> StoreService:
    """Build the store service from its settings."""
    values = settings.values.store
    limits = StoreLimits(components=values.max_components_per_user, versions=values.max_versions, tags=values.tags)
    store: StoreBackend = build_store.choose(settings).backend.load(ServiceType.STORE)(database, limits)
    return StoreService(settings, database, keyring, redactor, workers, variable, store)
