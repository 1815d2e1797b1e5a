"""Settings of the chat service."""

from pydantic import Field

from bedplate.services.settings.groups.base import ServiceSettings

__all__ = ["ChatSettings"]


class ChatSettings(ServiceSettings):
    """Chat messages (``BEDPLATE_CHAT__*``)."""

    backend: str = "database"
    """Where messages are kept: ``database``."""
    max_message_bytes: int = Field(default=1024 * 1024, ge=1)
    """Largest text of one message."""
