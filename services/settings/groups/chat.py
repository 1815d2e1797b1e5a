"""Settings of the chat service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["ChatSettings"]


class ChatSettings(ServiceSettings):
    """Chat messages (``BEDPLATE_CHAT__*``)."""

    backend: str = "database"
    """Where messages are kept: ``database``."""
    retention: Seconds = 365 * 24 * 3600.0
    """Seconds after which a message is deleted; 0: never."""
    max_messages: int = Field(default=5_000_000, ge=0)
    """Most messages that are kept of all users together, the latest; 0: any number."""
    max_messages_per_session: int = Field(default=0, ge=0)
    """Most messages of a session that are kept, the newest; 0: all."""
    max_messages_per_user: int = Field(default=0, ge=0)
    """Most messages of a user that are kept, the newest; 0: all."""
    max_message_bytes: int = Field(default=1024 * 1024, ge=1)
    """Largest text of one message, in bytes of UTF-8."""
    max_details_bytes: int = Field(default=4 * 1024 * 1024, ge=1)
    """Largest properties, content blocks and files of one message together, in bytes of JSON."""
    max_name_chars: int = Field(default=255, ge=1)
    """Longest session id, sender, name of a sender and category, in characters."""
    max_page: int = Field(default=1_000, ge=1)
    """Most messages that one list or history answers."""
    max_import: int = Field(default=100_000, ge=1)
    """Most messages that are imported by one call."""
    max_batch: int = Field(default=1_000, ge=1)
    """Most messages that are appended or deleted by one call."""
    max_search_chars: int = Field(default=1_000, ge=1)
    """Longest text of a search, in characters."""
    export_page: int = Field(default=200, ge=1)
    """Messages that an export holds in memory at a time."""
    max_fork_messages: int = Field(default=10_000, ge=1)
    """Most messages that a fork copies."""
