"""Tasks in the processes of the application itself: each looks into the database, and is woken by its own submits."""

from typing import Self

from bedplate.services.settings import SettingsService
from bedplate.services.task.backend import Due, RunsTasks

__all__ = ["AnyIOBackend"]


class AnyIOBackend:
    """Needs nothing but the database: no broker, no process beside the application.

    Args:
        poll_interval: Seconds between two looks for what other processes submitted.
    """

    name = "anyio"
    delivers = True
    begins_here = True

    def __init__(self, poll_interval: float) -> None:
        self._poll_interval = poll_interval
        self._worker: RunsTasks | None = None

    @classmethod
    def from_settings(cls, settings: SettingsService) -> Self:
        """See :class:`~bedplate.services.task.backend.TaskBackend`."""
        return cls(settings.values.task.poll_interval)

    async def start(self) -> None:
        """Nothing is needed."""

    async def stop(self) -> None:
        """Nothing is kept."""
        self._worker = None

    async def check(self) -> str | None:
        """It works as long as the database does, which answers for itself."""
        return None

    def announce(self, due: Due) -> None:
        """Wake the worker of this process, if it has one; those of others come by themselves."""
        if self._worker is not None:
            self._worker.wake()

    async def serve(self, worker: RunsTasks) -> None:
        """Look now, whenever woken, and every so often."""
        self._worker = worker
        try:
            while True:
                await worker.rest(min(await worker.take_due(), self._poll_interval))
        finally:
            self._worker = None
