"""The chat service: messages of chat sessions."""

from bedplate.services.chat.errors import (
    MessageNotFoundError,
    MessageTooLargeError,
    SessionExistsError,
    SessionNotFoundError,
)
from bedplate.services.chat.models import (
    ChangeKind,
    ChatChange,
    Message,
    MessageOrder,
    MessagePage,
    MessageStatus,
    NewMessage,
)
from bedplate.services.chat.service import ChatService

__all__ = [
    "ChangeKind",
    "ChatChange",
    "ChatService",
    "Message",
    "MessageNotFoundError",
    "MessageOrder",
    "MessagePage",
    "MessageStatus",
    "MessageTooLargeError",
    "NewMessage",
    "SessionExistsError",
    "SessionNotFoundError",
]
