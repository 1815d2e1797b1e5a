"""The backends of the chat service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.chat.service import ChatService
from bedplate.services.database import DatabaseService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_chat"]


@service_factory(
    ServiceType.CHAT,
    Backend(name="database", target="bedplate.services.chat.service:ChatService"),
)
def build_chat(settings: SettingsService, telemetry: TelemetryService, database: DatabaseService) -> ChatService:
    """Build the chat service from its settings."""
    backend = build_chat.choose(settings).backend
    service: ChatService = backend.load(ServiceType.CHAT)(settings, telemetry, database)
    return service
