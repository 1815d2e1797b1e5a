"""Work on a thread that ends before its caller does, also when the caller is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from bedplate.services.engines.workers import WorkerPool
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["Abort", "Aborted", "run_to_end"]

T = TypeVar("T")


class Aborted(Exception):  # noqa: N818 - no error: its caller was cancelled, and nobody sees it
    """Raised on the thread once its caller no longer wants the result."""


class Abort:
    """What a cancelled caller and the thread that works for it know of each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._requested = False
        self._running = False
        self._ended: asyncio.Event | None = None
        self._results: list[Any] = []

    def check(self) -> None:
        """On the thread: raise if the result is no longer wanted.

        Raises:
            Aborted: It is not.
        """
        if self._requested:
            raise Aborted

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """On the thread: call ``function`` with this and ``args``, unless the caller has gone already."""
        with self._lock:
            self.check()
            self._running = True
        try:
            result = function(self, *args)
            self._results.append(result)
            return result
        finally:
            with self._lock:
                self._running = False
                ended = self._ended
            if ended is not None:
                self._loop.call_soon_threadsafe(ended.set)

    async def request(self) -> list[Any]:
        """In the loop: have the thread stop, and return when it has, whatever cancels this meanwhile.

        Returns:
            What the function returned, if it did before it could be stopped.
        """
        with self._lock:
            self._requested = True
            if not self._running:
                return self._results
            ended = self._ended = asyncio.Event()
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue  # the caller raises the one that it has
        return self._results


async def run_to_end(
    pool: WorkerPool, function: Callable[..., T], *args: Any, undo: Callable[[T], None] | None = None
) -> T:
    """Run ``function(abort, *args)`` on a thread of the pool.

    Cancelled, the function is asked to stop, and the cancellation is raised once it has ended or was never begun: no
    thread works on behind the back of the caller.

    Args:
        pool: The pool.
        function: What to run.
        args: Its arguments.
        undo: Takes back what a function did that could not be stopped in time; None: that stays done.
    """
    abort = Abort()
    try:
        return await pool.run(abort.run, function, *args)
    except asyncio.CancelledError:
        results = await abort.request()
        if undo is not None and results:
            await uninterrupted(pool.run(undo, results[0]))
        raise
