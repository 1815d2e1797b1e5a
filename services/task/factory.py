"""The backends of the task service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.task.backend import TaskBackend
from bedplate.services.task.service import TaskService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_task"]


@service_factory(
    ServiceType.TASK,
    Backend(name="anyio", target="bedplate.services.task.anyio_backend:AnyIOBackend"),
    Backend(
        name="celery",
        target="bedplate.services.task.celery:CeleryBackend",
        extra="celery",
        requires=(("task.broker_url", "redis.url"),),
    ),
)
def build_task(settings: SettingsService, telemetry: TelemetryService, database: DatabaseService) -> TaskService:
    """Build the task service from its settings."""
    backend: TaskBackend = build_task.choose(settings).make(settings)
    return TaskService(settings, telemetry, database, backend)
