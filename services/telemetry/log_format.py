"""How a log record looks: one JSON object a line, or columns for a terminal."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import orjson
from structlog.dev import ConsoleRenderer, plain_traceback

from bedplate.services.logs import LogEvent, bound, masked

__all__ = ["ConsoleFormatter", "JsonFormatter", "parts_of"]


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp (RFC 3339, UTC), level, logger, event, and what else the event holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record; never raises, whatever the record holds."""
        parts = parts_of(record)
        try:
            return orjson.dumps(parts, default=str).decode()
        except TypeError:  # such as a text that is no valid Unicode
            return json.dumps(parts, default=str)


class ConsoleFormatter(logging.Formatter):
    """Columns for people; with colours where ``colors`` says that the terminal shows them."""

    def __init__(self, *, colors: bool) -> None:
        super().__init__()
        # The plain traceback: the others print local variables, which may be secrets.
        self._render = ConsoleRenderer(colors=colors, exception_formatter=plain_traceback)

    def format(self, record: logging.LogRecord) -> str:
        """The lines for one record; never raises, whatever the record holds."""
        parts = parts_of(record)
        try:
            text = str(self._render(None, record.levelname.lower(), parts))
        except Exception:
            text = str(LogEvent(parts))
        return text.encode("utf-8", "backslashreplace").decode()


def parts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says, masked: timestamp, level, logger and event, and what else the event holds."""
    event = record.msg if isinstance(record.msg, LogEvent) else _of_foreign(record)
    parts: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event.get("event", ""),
    }
    for key, value in event.items():
        if key != "event":
            parts[f"{key}_" if key in parts else key] = value
    return parts


def _of_foreign(record: logging.LogRecord) -> LogEvent:
    """The event of a record that the standard library's logging made."""
    try:
        words = record.getMessage()
    except Exception:  # arguments that do not fit the message
        words = f"{record.msg!s} {record.args!r}"
    event = bound() | {"event": words}
    if record.exc_info:
        event["exception"] = logging.Formatter().formatException(record.exc_info)
    if record.stack_info:
        event["stack"] = record.stack_info
    return masked(event)
