"""The backends of the job queue service."""

from collections.abc import Callable

from bedplate.services.backends import Backend, service_factory
from bedplate.services.database import DatabaseService
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.job_queue.relay import Relay
from bedplate.services.job_queue.service import JobQueueService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_job_queue"]


def _no_redis() -> RedisEngine:
    raise TypeError("build_job_queue() was not given the engine that its backend needs: redis")


@service_factory(
    ServiceType.JOB_QUEUE,
    Backend(name="memory", target="bedplate.services.job_queue.relay:Relay"),
    Backend(name="redis", target="bedplate.services.job_queue.redis.relay:RedisRelay", extra="redis", needs=("redis",)),
)
def build_job_queue(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    redis: Callable[[], RedisEngine] = _no_redis,
) -> JobQueueService:
    """Build the job queue service from its settings; ``redis`` is called for the engine if the backend needs it."""
    choice = build_job_queue.choose(settings)
    engines = {"redis": redis()} if "redis" in choice.backend.needs else {}
    relay: Relay = choice.make(settings, telemetry, database, **engines)
    return JobQueueService(settings, telemetry, database, relay)
