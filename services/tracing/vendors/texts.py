"""Values as text."""

from typing import Any

import msgspec
import orjson

__all__ = ["json_of", "text_of"]


def text_of(value: Any) -> str | None:
    """A value as text: texts as they are, all others as JSON; None stays None."""
    return value if value is None or isinstance(value, str) else json_of(value)


def json_of(value: Any) -> str:
    """A value, made of what JSON knows, as JSON."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer of more than 64 bits
        return msgspec.json.encode(value).decode()
