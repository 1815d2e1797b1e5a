"""Chat messages, as callers see them."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

__all__ = [
    "ChangeKind",
    "ChatChange",
    "Fork",
    "Message",
    "MessageOrder",
    "MessagePage",
    "MessageStatus",
    "NewMessage",
    "SearchHit",
    "SearchOrder",
    "SearchPage",
    "Snippet",
]


class MessageStatus(StrEnum):
    """Whether a message is whole."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    """Its writer is not done, or went away without a word."""
    CANCELLED = "cancelled"
    """Its writer was cancelled: the text is what there was until then."""


class MessageOrder(StrEnum):
    """The order of a list, by time and then id."""

    OLDEST_FIRST = "asc"
    NEWEST_FIRST = "desc"


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to store.

    Attributes:
        session_id: The chat session.
        sender: ``"User"`` or ``"Machine"``, or what an app calls them.
        sender_name: Who says it, for people.
        text: What it says.
        id: Its id; None makes one. One of the user's own messages with this id is replaced.
        flow_id: The flow that it belongs to, if any.
        run_id: The run that made it, if any.
        timestamp: When it was made; None: now. A replaced message keeps its time.
        files: Paths of attached files.
        properties: Colours, icon, source and the like.
        content_blocks: Structured content beside the text.
        category: ``"message"``, ``"error"`` and the like.
        error: Whether it reports an error.
        status: Whether it is whole.
    """

    session_id: str
    sender: str
    sender_name: str
    text: str
    id: uuid.UUID | None = None
    flow_id: uuid.UUID | None = None
    run_id: uuid.UUID | None = None
    timestamp: datetime | None = None
    files: tuple[str, ...] = ()
    properties: dict[str, Any] = {}
    content_blocks: tuple[dict[str, Any], ...] = ()
    category: str = "message"
    error: bool = False
    status: MessageStatus = MessageStatus.COMPLETE


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message; see :class:`NewMessage`.

    Attributes:
        edit: Whether its text was changed after it was stored.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    session_id: str
    sender: str
    sender_name: str
    text: str
    flow_id: uuid.UUID | None
    run_id: uuid.UUID | None
    timestamp: datetime
    files: tuple[str, ...]
    properties: dict[str, Any]
    content_blocks: tuple[dict[str, Any], ...]
    category: str
    error: bool
    edit: bool
    status: MessageStatus


class ChangeKind(StrEnum):
    """What happened to messages."""

    STORED = "stored"
    UPDATED = "updated"
    DELETED = "deleted"
    RENAMED = "renamed"


class ChatChange(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a session, for those who watch.

    Attributes:
        kind: What happened.
        user_id: The owner of the session.
        session_id: The session; of renamed ones the name before.
        messages: The messages that were stored or updated, as they are now.
        message_ids: The messages that were deleted; empty when it was all of the session.
        new_session_id: What a renamed session is called now.
    """

    kind: ChangeKind
    user_id: uuid.UUID
    session_id: str
    messages: tuple[Message, ...] = ()
    message_ids: tuple[uuid.UUID, ...] = ()
    new_session_id: str | None = None


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some messages, in the order asked for.

    Attributes:
        items: The messages.
        next_cursor: What to ask on with; None at the end.
    """

    items: tuple[Message, ...]
    next_cursor: str | None


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """A session that goes on from a message of another one.

    Attributes:
        session_id: The new session.
        origin: The session that it was copied from.
        messages: How many messages it has.
    """

    session_id: str
    origin: str
    messages: int


class SearchOrder(StrEnum):
    """The order of what a search finds."""

    BEST_FIRST = "best"
    NEWEST_FIRST = "newest"


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a text.

    Attributes:
        text: The part, some 400 characters at most; ``…`` stands for what is left out.
        matches: Where the words are that were looked for: begin and end of each, in characters.
    """

    text: str
    matches: tuple[tuple[int, int], ...]


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a search found.

    Attributes:
        message: The message.
        score: How well it matches: more is better, of the same search.
        snippet: The part of it that matches.
    """

    message: Message
    score: float
    snippet: Snippet


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of what a search found.

    Attributes:
        items: What it found, in the order asked for.
        next_cursor: What to ask on with; None at the end.
    """

    items: tuple[SearchHit, ...]
    next_cursor: str | None
