"""The backends of the state service."""

from collections.abc import Callable

from bedplate.services.backends import Backend, service_factory
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.state.backend import StateBackend
from bedplate.services.state.service import StateService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_state"]


@service_factory(
    ServiceType.STATE,
    Backend(name="memory", target="bedplate.services.state.memory:MemoryBackend"),
    Backend(name="redis", target="bedplate.services.state.redis:RedisBackend", extra="redis", needs=("redis",)),
)
def build_state(
    settings: SettingsService, telemetry: TelemetryService, redis: Callable[[], RedisEngine] | None = None
) -> StateService:
    """Build the state service from its settings; ``redis`` is called for the engine if the backend needs it."""
    choice = build_state.choose(settings)
    engines = {"redis": redis()} if redis is not None and "redis" in choice.backend.needs else {}
    store: StateBackend = choice.make(settings, **engines)
    return StateService(settings, telemetry, store)
