"""The runner and the backends of the session service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.cache import CacheService
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.redactor import Redactor
from bedplate.services.schema import ServiceType
from bedplate.services.session.runner import GraphRunner, LanguageModelEndpoint, RunLimits, Runner, Toolbox
from bedplate.services.session.service import SessionService
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import SharedComponentCacheService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_runner", "build_session"]


def build_runner(
    settings: SettingsService, http: HttpEngine, shared_component_cache: SharedComponentCacheService
) -> Runner:
    """Build the default runner from the settings."""
    values = settings.values.session
    http.conceal(values.llm_base_url.rstrip("/"))
    endpoint = LanguageModelEndpoint(
        base_url=values.llm_base_url.rstrip("/"),
        connect_timeout=values.llm_connect_timeout,
        read_timeout=values.llm_read_timeout,
        retries=values.llm_retries,
        retry_delay=values.llm_retry_delay,
        max_retry_delay=values.llm_max_retry_delay,
        max_answer_bytes=values.llm_max_answer_bytes,
    )
    return GraphRunner(
        shared_component_cache,
        Toolbox(http=lambda: http.client, llm=endpoint, shared=shared_component_cache.shared),
        RunLimits(parallel_nodes=values.max_parallel_nodes, pending_events=values.max_pending_events),
    )


@service_factory(
    ServiceType.SESSION,
    Backend(name="database", target="bedplate.services.session.service:SessionService"),
)
def build_session(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    cache: CacheService,
    runner: Runner,
    redactor: Redactor,
) -> SessionService:
    """Build the session service from its settings."""
    backend = build_session.choose(settings).backend
    service: SessionService = backend.load(ServiceType.SESSION)(settings, telemetry, database, cache, runner, redactor)
    return service
