"""Values of settings: read from text, and described without being shown."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from bedplate.services.settings.keys import is_secret, is_table, types_of

__all__ = ["entry_from_text", "from_text", "sealed", "shape_of"]


def from_text(field: FieldInfo, text: str) -> Any:
    """What the text of an environment variable or of a file means for this setting.

    Lists are written as JSON or separated by commas, tables as JSON; everything else stays text, for validation to
    convert.

    Raises:
        ValueError: The text cannot be a value of the setting; its message does not quote the text.
    """
    if not _is_unicode(text):
        raise ValueError("is not UTF-8")
    if _is_list(field):
        return _list(text)
    if is_table(field):
        return _table(text)
    if not text:
        raise ValueError("is empty")
    return text


def entry_from_text(text: str) -> Any:
    """What the text of an environment variable means for an entry of a table: JSON where it is such, else the text.

    Raises:
        ValueError: It is empty or no text; the message does not quote it.
    """
    if not _is_unicode(text):
        raise ValueError("is not UTF-8")
    if not text:
        raise ValueError("is empty")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        if text.lstrip().startswith(("{", "[")):
            raise ValueError("begins like JSON, and is none") from None
        return text


def sealed(field: FieldInfo, value: Any) -> Any:
    """The value, wrapped if it is a secret, so that no later text, log or error can show it."""
    return _wrapped(value) if is_secret(field) else value


def _wrapped(value: Any) -> Any:
    match value:
        case str():
            return SecretStr(value)
        case Mapping():
            return {name: _wrapped(one) for name, one in value.items()}
        case list() | tuple():
            return [_wrapped(one) for one in value]
    return value


def shape_of(value: Any) -> str:
    """What kind of value this is, without a word of it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case SecretStr():
            return shape_of(value.get_secret_value())
        case str():
            return f"text of {len(value)} character{'s'[: len(value) != 1]}" if value else "empty text"
        case Mapping():
            return f"a table of {len(value)}"
        case list() | tuple() | set() | frozenset():
            return f"a list of {len(value)}"
        case Path():
            return "a path"
    return f"a value of type {type(value).__name__}"


def _is_list(field: FieldInfo) -> bool:
    return not types_of(field).isdisjoint((tuple, list, set, frozenset))


def _is_unicode(text: str) -> bool:
    """Whether the text has no bytes in it that the system could not decode."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _list(text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [item for part in text.split(",") if (item := part.strip())]
    return list(_json(text, "a list"))


def _table(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        raise ValueError("is a table, to be written as JSON")
    return dict(_json(text, "a table"))


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"begins like {what} in JSON, but is not JSON at character {error.pos}"
    raise ValueError(message)
