"""Work that is done again and again in the background, and once more when told to stop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

__all__ = ["Periodic"]


class Periodic:
    """Calls something by interval, between start and stop.

    Args:
        name: Name of the task.
        interval: Seconds between two calls.
        work: What is called; it must handle its own errors.
        at_stop: Whether it is called once more at stop.
    """

    def __init__(self, name: str, interval: float, work: Callable[[], Awaitable[None]], *, at_stop: bool) -> None:
        self._name = name
        self._interval = interval
        self._work = work
        self._at_stop = at_stop
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._run(self._stopping), name=self._name)

    async def stop(self) -> None:
        """End, after what is being done."""
        if self._task is not None:
            task, self._task = self._task, None
            # Told, not cancelled: what is just being committed would be done twice.
            self._stopping.set()
            await task

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await stopping.wait()
            if self._at_stop or not stopping.is_set():
                await self._work()
