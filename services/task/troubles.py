"""Failures of what goes on in the background, where nobody waits who could be told."""

import contextlib
from collections.abc import Iterator

from bedplate.services.logs import get_logger
from bedplate.services.telemetry import TelemetryService

__all__ = ["Troubles"]

_log = get_logger("bedplate.task")


class Troubles:
    """Counts failures, and logs the first of several in a row of one kind: a database may be away for long.

    Args:
        telemetry: For the metrics.
    """

    def __init__(self, telemetry: TelemetryService) -> None:
        self._lasting: set[str] = set()
        self._count = telemetry.meter.counter("bedplate_task_worker_failures", "Failed looks of the worker")

    @contextlib.contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Note what fails in the block, and go on after it."""
        try:
            yield
            self.over(what)
        except Exception as error:
            self.note(what, error)

    def note(self, what: str, error: Exception) -> None:
        """Note a failure."""
        self._count.add()
        if what not in self._lasting:
            self._lasting.add(what)
            _log.warning(what, error=type(error).__name__)

    def over(self, what: str) -> None:
        """Note that it works."""
        self._lasting.discard(what)
