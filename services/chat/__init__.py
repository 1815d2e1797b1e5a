"""The chat service: messages of chat sessions, and results of frozen vertices."""

from bedplate.services.chat.errors import (
    MessageNotFoundError,
    MessageTooLargeError,
    SessionExistsError,
    SessionNotFoundError,
)
from bedplate.services.chat.export import ExportFormat
from bedplate.services.chat.models import (
    ChangeKind,
    ChatChange,
    Fork,
    Message,
    MessageOrder,
    MessagePage,
    MessageStatus,
    NewMessage,
    SearchHit,
    SearchOrder,
    SearchPage,
    Snippet,
)
from bedplate.services.chat.service import ChatService

__all__ = [
    "ChangeKind",
    "ChatChange",
    "ChatService",
    "ExportFormat",
    "Fork",
    "Message",
    "MessageNotFoundError",
    "MessageOrder",
    "MessagePage",
    "MessageStatus",
    "MessageTooLargeError",
    "NewMessage",
    "SearchHit",
    "SearchOrder",
    "SearchPage",
    "SessionExistsError",
    "SessionNotFoundError",
    "Snippet",
]
