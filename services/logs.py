"""How every part of Bedplate writes its log: structured events, secrets masked before anything else sees them.

``get_logger("bedplate.cache").info("evicted", entries=3)`` ends as one record of the standard library's logger of that
name. Its message prints as ``evicted entries=3`` wherever the application's own handlers send it, and the telemetry
service renders it as JSON or for a console. Nothing global is configured, neither in structlog nor in logging: an
application that Bedplate is a guest in keeps its own set-up.

What is bound with ``structlog.contextvars`` (``run_id``, ``trace_id``, ``request_id``) is part of every event.
"""

import logging
import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog
from structlog.contextvars import get_contextvars
from structlog.processors import StackInfoRenderer, format_exc_info
from structlog.stdlib import BoundLogger, filter_by_level

__all__ = [
    "LogEvent",
    "Masker",
    "add_context",
    "add_masker",
    "bound",
    "get_logger",
    "masked",
    "remove_context",
    "remove_masker",
]

Masker = Callable[[Any], Any]

MAX_TEXT = 16_384
_MAX_UNMASKED = 4 * MAX_TEXT
"""Texts are cut to their length after masking: half of a secret, at a cut before it, would not be known as one."""
MAX_ITEMS = 256
MAX_DEPTH = 8

_NOTE = re.compile(r"… \((\d+) characters\)\Z")
_NOTE_LENGTH = 64

# Filled by every started telemetry service and emptied when it stops: a logger is made when its module is imported,
# long before any container, and must find the maskers of those that run.
_maskers: list[Masker] = []
_contexts: list[Callable[[], Mapping[str, Any]]] = []


class LogEvent(dict[str, Any]):
    """The parts of one event by name; prints as a line of ``key=value`` after the event's own words."""

    def __str__(self) -> str:
        words = str(self.get("event", "")).replace("\r", "\\r").replace("\n", "\\n")
        pairs = " ".join(f"{key}={_quoted(value)}" for key, value in self.items() if key not in ("event", "exception"))
        text = f"{words} {pairs}".strip()
        return f"{text}\n{self['exception']}" if "exception" in self else text


def get_logger(name: str) -> BoundLogger:
    """The logger of one part of Bedplate, such as ``"bedplate.cache"``; takes words and ``key=value`` arguments."""
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name), processors=_PROCESSORS, wrapper_class=BoundLogger, cache_logger_on_first_use=False
    )
    return logger


def add_masker(mask: Masker) -> None:
    """Pass every event through ``mask``, which gets and returns JSON-like values, until it is removed."""
    _maskers.append(mask)


def remove_masker(mask: Masker) -> None:
    """Undo one :func:`add_masker`; does nothing for a masker that is not there."""
    if mask in _maskers:
        _maskers.remove(mask)


def add_context(read: Callable[[], Mapping[str, Any]]) -> None:
    """Have what ``read`` returns be part of every event, such as the ids of the current trace, until it is removed."""
    _contexts.append(read)


def remove_context(read: Callable[[], Mapping[str, Any]]) -> None:
    """Undo one :func:`add_context`; does nothing for one that is not there."""
    if read in _contexts:
        _contexts.remove(read)


def bound() -> dict[str, Any]:
    """What is part of every event here and now."""
    parts: dict[str, Any] = {}
    for read in tuple(_contexts):
        parts.update(read())
    return parts | get_contextvars()


def masked(event: Mapping[str, Any]) -> LogEvent:
    """The event with plain, bounded values only, and every secret masked.

    Never raises: an event that cannot be masked is replaced by one that says so, since it may hold a secret.
    """
    try:
        clean: Any = {str(key): _plain(value, MAX_DEPTH) for key, value in event.items()}
        for mask in tuple(_maskers):
            clean = mask(clean)
        return LogEvent(_cut(clean))
    except Exception as error:
        return LogEvent(event="a log event was dropped, as its secrets could not be masked", error=type(error).__name__)


def _quoted(value: Any) -> str:
    # Quoted where it could be taken for the next pair, or forge a line of the log.
    text = str(value)
    return repr(text) if not text.isprintable() or " " in text or not text else text


def _plain(value: Any, depth: int) -> Any:
    """A JSON-like copy: what holds too much is cut, what is not plain becomes text."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, str):
        text = str(value)
        return text if len(text) <= _MAX_UNMASKED else f"{text[:_MAX_UNMASKED]}… ({len(text)} characters)"
    if depth and isinstance(value, Mapping):
        return {str(key): _plain(item, depth - 1) for key, item in list(value.items())[:MAX_ITEMS]}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth - 1) for item in list(value)[:MAX_ITEMS]]
    try:
        return str(value)[:_MAX_UNMASKED]
    except Exception:
        return f"<unprintable {type(value).__name__}>"


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) <= MAX_TEXT + _NOTE_LENGTH:  # it may have been cut by a masker, which says so at its end
            return value
        note = _NOTE.search(value)
        return f"{value[:MAX_TEXT]}… ({note[1] if note else len(value)} characters)"
    if isinstance(value, dict):
        return {key: _cut(item) for key, item in value.items()}
    return [_cut(item) for item in value] if isinstance(value, list) else value


def _with_context(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return bound() | dict(event)


def _formatted(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    args = event.pop("positional_args", ())
    if args:
        try:
            event["event"] %= args
        except (TypeError, ValueError):
            event["args"] = args
    return event


def _as_record(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> tuple[tuple[LogEvent], dict[str, Any]]:
    # Without exc_info=False, logging would attach the exception itself, unmasked, to the record of exception().
    return (masked(event),), {"exc_info": False}


_PROCESSORS: list[structlog.typing.Processor] = [
    filter_by_level,
    _with_context,
    _formatted,
    StackInfoRenderer(),
    format_exc_info,  # to text, so that secrets in an exception are masked like any other
    _as_record,
]
