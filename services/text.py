"""Texts that every database and every encoder can hold."""

from typing import Any

__all__ = ["storable"]

_REPLACEMENT = "\ufffd"


def storable(value: Any) -> Any:
    """The JSON-like value with what cannot be stored replaced by U+FFFD in its texts and keys.

    That is half a surrogate pair, which UTF-8 has no bytes for and which models make when they cut an emoji in two,
    and the null character, which PostgreSQL refuses. Two halves that meet again become the character that they were.
    """
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _storable_text(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", _REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
