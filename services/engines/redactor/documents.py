"""Flow documents to give to others."""

from collections.abc import Callable
from typing import Any

__all__ = ["without_secrets"]


def without_secrets(value: Any, is_secret_name: Callable[[str], bool]) -> Any:
    """A copy of a flow document, or a part of one, in which fields that hold secrets are empty.

    These are fields that say so themselves, and those whose name does. A field that is loaded by name holds the name
    of a variable, which is no secret, and keeps it.

    Args:
        value: What JSON can hold.
        is_secret_name: Whether a field of this name holds a secret.
    """
    if isinstance(value, list):
        return [without_secrets(item, is_secret_name) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: without_secrets(inner, is_secret_name) for name, inner in value.items()}
    for name, inner in kept.items():
        if isinstance(inner, str) and is_secret_name(name):
            kept[name] = ""
        elif isinstance(inner, dict) and is_secret_name(name):
            kept[name] = _emptied(inner)
    # A field that says so itself, or a row of a table, such as one of headers.
    names = [kept[label] for label in ("key", "name") if isinstance(kept.get(label), str)]
    return _emptied(kept) if kept.get("password") is True or any(map(is_secret_name, names)) else kept


def _emptied(field: dict[str, Any]) -> dict[str, Any]:
    if "value" not in field or field.get("load_from_db") is True:
        return field
    return {**field, "value": ""}
