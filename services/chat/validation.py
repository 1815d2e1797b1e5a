"""What a message may hold."""

from typing import Any

import msgspec

from bedplate.services.chat.errors import MessageTooLargeError
from bedplate.services.chat.models import NewMessage
from bedplate.services.errors import InvalidInputError
from bedplate.services.settings.groups.chat import ChatSettings
from bedplate.services.text import storable

__all__ = ["checked_details", "checked_message", "checked_name", "checked_text"]

_NOT_STORABLE = b"\\u0000"


def checked_message(message: NewMessage, settings: ChatSettings) -> NewMessage:
    """The message as it can be stored.

    Raises:
        InvalidInputError: A name is empty, or properties and content blocks are not JSON-like.
        MessageTooLargeError: Something is over a limit.
    """
    if message.timestamp is not None and message.timestamp.tzinfo is None:
        raise InvalidInputError(
            "the timestamp of the message has no zone", service="chat", fix="send a time in UTC, such as utc_now()"
        )
    details = checked_details(
        {
            "files": list(message.files),
            "properties": message.properties,
            "content_blocks": list(message.content_blocks),
        },
        settings,
    )
    return msgspec.structs.replace(
        message,
        session_id=checked_name("session id", message.session_id, settings),
        sender=checked_name("sender", message.sender, settings),
        sender_name=checked_name("name of the sender", message.sender_name, settings, may_be_empty=True),
        category=checked_name("category", message.category, settings),
        text=checked_text(message.text, settings),
        files=tuple(details["files"]),
        properties=details["properties"],
        content_blocks=tuple(details["content_blocks"]),
    )


def checked_name(what: str, value: str, settings: ChatSettings, *, may_be_empty: bool = False) -> str:
    """The value as it can be stored.

    Raises:
        InvalidInputError: It is empty.
        MessageTooLargeError: It is too long.
    """
    if not value and not may_be_empty:
        raise InvalidInputError(f"the {what} is empty", service="chat", fix=f"send a {what}")
    if len(value) > settings.max_name_chars:
        raise MessageTooLargeError(
            f"the {what} has {len(value)} characters", f"{settings.max_name_chars} characters", "MAX_NAME_CHARS"
        )
    name: str = storable(value)
    return name


def checked_text(value: str, settings: ChatSettings) -> str:
    """The text as it can be stored.

    Raises:
        MessageTooLargeError: It is too long.
    """
    text: str = storable(value)
    size = len(text.encode())
    if size > settings.max_message_bytes:
        raise MessageTooLargeError(
            f"the text of the message has {size} bytes", f"{settings.max_message_bytes} bytes", "MAX_MESSAGE_BYTES"
        )
    return text


def checked_details(details: dict[str, Any], settings: ChatSettings) -> dict[str, Any]:
    """A copy of files, properties and content blocks as they can be stored.

    Raises:
        InvalidInputError: They are not JSON-like.
        MessageTooLargeError: They are too large together.
    """
    try:
        encoded = _encoded(details)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "properties, content blocks or files of the message are not JSON-like",
            service="chat",
            why=type(error).__name__,
            fix="send dicts, lists, texts, numbers, booleans and None only",
        ) from error
    if len(encoded) > settings.max_details_bytes:
        raise MessageTooLargeError(
            f"properties, content blocks and files of the message have {len(encoded)} bytes",
            f"{settings.max_details_bytes} bytes",
            "MAX_DETAILS_BYTES",
        )
    copied: dict[str, Any] = msgspec.json.decode(encoded)
    return copied


def _encoded(details: dict[str, Any]) -> bytes:
    try:
        encoded = msgspec.json.encode(details)
    except UnicodeEncodeError:
        encoded = _NOT_STORABLE
    # Walking through all of it costs more than all else; what it looks for is rare, and shows.
    return msgspec.json.encode(storable(details)) if _NOT_STORABLE in encoded else encoded
