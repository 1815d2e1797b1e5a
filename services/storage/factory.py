"""The backends of the storage service."""

from collections.abc import Callable

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.s3 import S3Engine
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
    Backend(
        name="s3",
        target="bedplate.services.storage.s3:S3Files",
        extra="s3",
        needs=("workers", "database", "s3"),
        requires=("storage.s3_bucket",),
    ),
)
def build_storage(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    s3: Callable[[], S3Engine] = S3Engine,
) -> StorageService:
    """Build the storage service from its settings; ``s3`` is called for the engine if the backend needs it."""
    choice = build_storage.choose(settings)
    engines = {"s3": s3()} if "s3" in choice.backend.needs else {}
    store: StorageBackend = choice.make(settings, workers=workers, database=database, **engines)
    return StorageService(settings, telemetry, database, keyring, workers, store)
