"""Moments that tests and the servers of tests wait for, from any thread and any event loop."""

import asyncio
import threading

__all__ = ["Gate", "Signal"]


class Signal:
    """A moment that comes once: tasks of any event loop wait for it, any thread brings it about."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @property
    def is_set(self) -> bool:
        """Whether the moment has come."""
        return self._set

    def set(self) -> None:
        """Bring it about; waiting tasks go on."""
        with self._lock:
            self._set = True
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            loop.call_soon_threadsafe(_wake, future)

    async def wait(self) -> None:
        """Return when it has come."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            if self._set:
                return
            self._waiting.append((loop, future))
        await future


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Gate:
    """A place where one side stops until the other side has seen it there.

    Attributes:
        reached: Somebody stands before the gate.
        opened: The gate is open, for good.
    """

    def __init__(self) -> None:
        self.reached = Signal()
        self.opened = Signal()

    def open(self) -> None:
        """Let everybody through, now and later."""
        self.opened.set()

    async def passes(self) -> None:
        """Stand before the gate until it is open."""
        self.reached.set()
        await self.opened.wait()
