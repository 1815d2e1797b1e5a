"""Which loggers of the standard library Bedplate writes, while a container runs, and nothing after it."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from bedplate.services.telemetry.log_format import ConsoleFormatter, JsonFormatter

__all__ = ["SERVER_LOGGERS", "LogRouter"]

SERVER_LOGGERS: Mapping[str, int] = {
    "uvicorn": logging.INFO,
    "uvicorn.error": logging.INFO,
    "uvicorn.access": logging.INFO,
    "alembic": logging.INFO,
    "asyncio": logging.WARNING,
    # Below a warning it writes every statement with its values.
    "sqlalchemy": logging.WARNING,
}
"""The loggers of a process that is Bedplate's own, each with the least severe level that is of interest."""

_OWN = "bedplate"


class LogRouter:
    """Sends records through one handler on standard error while installed.

    Routers stack: with several containers in a process the newest one's rules hold, and when the last is removed every
    logger is as it was before the first. The root logger is never touched.

    Args:
        level: The least severe level of Bedplate's own loggers.
        look: ``"json"``, ``"console"`` or ``"auto"`` (console where standard error is a terminal).
        handler: ``"own"``, ``"app"`` or ``"auto"`` (the application's where it has configured logging).
        failed: Called for each record that could not be written.
    """

    def __init__(
        self,
        level: int,
        look: Literal["auto", "console", "json"],
        handler: Literal["auto", "own", "app"],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._also: Sequence[logging.Handler] = ()
        self._guest = False
        self._level = level
        self._look = look
        self._policy = handler
        self._handler = _StandardError(failed)
        self._levels: dict[str, int] = {}

    def install(self) -> None:
        """Take over Bedplate's own loggers, unless the application's handlers are to write them."""
        terminal = sys.stderr.isatty()
        console = self._look == "console" or (self._look == "auto" and terminal)
        self._handler.setFormatter(ConsoleFormatter(colors=terminal) if console else JsonFormatter())
        _put_back()
        if self._policy == "own" or (self._policy == "auto" and not logging.getLogger(_OWN).hasHandlers()):
            self._levels = {_OWN: self._level}
        elif self._also:
            self._levels, self._guest = {_OWN: self._level}, True
        _routers.append(self)
        _apply()

    def set_also(self, handlers: Sequence[logging.Handler]) -> None:
        """Have records go to these as well, beside the handler on standard error or the application's own."""
        self._also = handlers
        if self in _routers:
            _apply()

    def route(self, levels: Mapping[str, int]) -> None:
        """Take over Bedplate's own loggers and these as well, each from the given level up, until removed."""
        self._guest = False
        self._levels = {_OWN: self._level, **{name: max(level, self._level) for name, level in levels.items()}}
        if self in _routers:
            _apply()

    def remove(self) -> None:
        """Give every logger back; does nothing when not installed."""
        if self in _routers:
            _routers.remove(self)
            self._levels, self._guest = {}, False
            _apply()

    def take_over(self, name: str) -> None:
        """Put the handler on one of the routed loggers, in place of its own."""
        logger = logging.getLogger(name)
        if self._guest:
            logger.handlers = [*logger.handlers, *self._also]
            return
        logger.handlers = [self._handler, *self._also]
        logger.propagate = False
        logger.setLevel(self._levels[name])

    @property
    def names(self) -> tuple[str, ...]:
        """The loggers that it takes over."""
        return tuple(self._levels)


class _StandardError(logging.Handler):
    """Writes to what ``sys.stderr`` is at the moment, so that redirecting it works."""

    def __init__(self, failed: Callable[[], None]) -> None:
        super().__init__()
        self._failed = failed

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:
            # A closed or full pipe must not fail the work that is being logged; the counter tells of it.
            self._failed()


# The stack of installed routers and what the loggers were like before: loggers are global, so is the note of them.
_routers: list[LogRouter] = []
_before: dict[str, tuple[list[logging.Handler], bool, int]] = {}


def _apply() -> None:
    _put_back()
    if not _routers:
        return
    for name in _routers[-1].names:
        logger = logging.getLogger(name)
        _before[name] = (logger.handlers, logger.propagate, logger.level)
        _routers[-1].take_over(name)


def _put_back() -> None:
    for name, (handlers, propagate, level) in _before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    _before.clear()
