"""Values of a run as JSON-like data for events."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from bedplate.services.session.runner.events import OutputValue

__all__ = ["as_data", "describe", "summary"]

_SUMMARY: Final = 500


def describe(value: Any) -> OutputValue:
    """The value of an output as an event shows it."""
    data = as_data(value)
    if isinstance(data, str):
        return OutputValue(type="text" if isinstance(value, str) else "object", value=data)
    if isinstance(data, dict):
        is_message = isinstance(value, msgspec.Struct) and isinstance(data.get("text"), str)
        return OutputValue(type="message" if is_message else "data", value=data)
    return OutputValue(type="array" if isinstance(data, list) else "unknown", value=data)


def as_data(value: Any) -> Any:
    """A copy of a value as JSON-like data; what is no data, a secret above all, is named by its type."""
    try:
        return msgspec.to_builtins(value, str_keys=True, enc_hook=lambda unknown: type(unknown).__name__)
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def summary(outputs: Mapping[str, OutputValue]) -> str:
    """The beginning of the first text in the outputs."""
    for output in outputs.values():
        text = output.value.get("text") if isinstance(output.value, Mapping) else output.value
        if isinstance(text, str):
            return text if len(text) <= _SUMMARY else text[:_SUMMARY] + "…"
    return _counted(list(outputs.values()))


def _counted(outputs: Sequence[OutputValue]) -> str:
    return ", ".join(output.type for output in outputs)
