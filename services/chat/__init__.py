"""The chat service: messages of chat sessions."""

from bedplate.services.chat.errors import (
    MessageNotFoundError,
    MessageTooLargeError,
    SessionExistsError,
    SessionNotFoundError,
)
from bedplate.services.chat.models import Message, MessageOrder, MessagePage, MessageStatus, NewMessage
from bedplate.services.chat.service import ChatService

__all__ = [
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
