"""Values of any kind as text."""

from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.services.shared_component_cache.component import Message

__all__ = ["message_of", "text_of"]


def text_of(value: Any) -> str:
    """What a person would read of a value: text as it is, a list line by line, anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Message):
        return value.text
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return str(value["text"])
    if isinstance(value, list | tuple):
        return "\n".join(map(text_of, value))
    return msgspec.json.encode(value, enc_hook=lambda unknown: type(unknown).__name__).decode()


def message_of(value: Any) -> Message:
    """The message that a value is, or one of its text."""
    return value if isinstance(value, Message) else Message(text=text_of(value))
