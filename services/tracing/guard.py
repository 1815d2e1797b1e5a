"""Keeps failures of tracing away from what is traced."""

from types import TracebackType

from bedplate.services.logs import get_logger
from bedplate.services.telemetry import Counter

__all__ = ["Guard"]

_log = get_logger("bedplate.tracing")


class Guard:
    """A context manager that swallows and counts every ``Exception`` of its block; it may be entered by many at once.

    Args:
        failures: Counts them.
    """

    __slots__ = ("_failures", "_told")

    def __init__(self, failures: Counter) -> None:
        self._failures = failures
        self._told = False

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._failures.add(1)
        # The kind alone, as the text may be about a value that was not redacted; loud once, being mostly one mistake.
        tell, self._told = _log.debug if self._told else _log.warning, True
        tell("something could not be recorded", kind=type(error).__qualname__)
        return True
