"""The backends of the socket service."""

from collections.abc import Callable

from bedplate.services.auth import AuthService
from bedplate.services.backends import Backend, service_factory
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.socket.backend import Broker
from bedplate.services.socket.service import SocketService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_socket"]


@service_factory(
    ServiceType.SOCKET,
    Backend(name="memory", target="bedplate.services.socket.memory:MemoryBroker"),
    Backend(name="redis", target="bedplate.services.socket.redis:RedisBroker", extra="redis", needs=("redis",)),
)
def build_socket(
    settings: SettingsService,
    telemetry: TelemetryService,
    auth: AuthService,
    workers: Workers,
    redis: Callable[[], RedisEngine] | None = None,
) -> SocketService:
    """Build the socket service from its settings; ``redis`` is called for the engine if the backend needs it."""
    choice = build_socket.choose(settings)
    engines = {"redis": redis()} if redis is not None and "redis" in choice.backend.needs else {}
    broker: Broker = choice.make(settings, **engines)
    return SocketService(settings, telemetry, auth, workers, broker)
