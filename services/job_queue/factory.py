"""The backends of the job queue service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.job_queue.service import JobQueueService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_job_queue"]


@service_factory(
    ServiceType.JOB_QUEUE,
    Backend(name="memory", target="bedplate.services.job_queue.service:JobQueueService"),
    planned=("redis",),
)
def build_job_queue(
    settings: SettingsService, telemetry: TelemetryService, database: DatabaseService
) -> JobQueueService:
    """Build the job queue service from its settings."""
    backend = build_job_queue.choose(settings).backend
    service: JobQueueService = backend.load(ServiceType.JOB_QUEUE)(settings, telemetry, database)
    return service
