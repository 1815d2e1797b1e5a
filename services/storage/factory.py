"""The backends of the storage service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.storage.backend import StorageBackend
from bedplate.services.storage.service import StorageService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_storage"]


@service_factory(
    ServiceType.STORAGE,
    Backend(name="local", target="bedplate.services.storage.local:LocalFiles", needs=("workers",)),
    planned=("s3",),
)
def build_storage(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
) -> StorageService:
    """Build the storage service from its settings."""
    store: StorageBackend = build_storage.choose(settings).make(settings, workers=workers)
    return StorageService(settings, telemetry, database, keyring, workers, store)
