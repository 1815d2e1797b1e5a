"""The runner and the backends of the session service."""

from bedplate.services.engines.http import HttpEngine
from bedplate.services.session.runner import GraphRunner, LanguageModelEndpoint, RunLimits, Runner, Toolbox
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import SharedComponentCacheService

__all__ = ["build_runner"]


def build_runner(
    settings: SettingsService, http: HttpEngine, shared_component_cache: SharedComponentCacheService
) -> Runner:
    """Build the default runner from the settings."""
    values = settings.values.session
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
        Toolbox(http=lambda: http.client, llm=endpoint),
        RunLimits(parallel_nodes=values.max_parallel_nodes, pending_events=values.max_pending_events),
    )
