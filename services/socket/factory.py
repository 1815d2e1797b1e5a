"""The backends of the socket service."""

from bedplate.services.auth import AuthService
from bedplate.services.backends import Backend, service_factory
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
    planned=("redis",),
)
def build_socket(
    settings: SettingsService, telemetry: TelemetryService, auth: AuthService, workers: Workers
) -> SocketService:
    """Build the socket service from its settings."""
    broker: Broker = build_socket.choose(settings).make(settings)
    return SocketService(settings, telemetry, auth, workers, broker)
