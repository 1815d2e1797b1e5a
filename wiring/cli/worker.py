"""Executing tasks in this process: services around a worker, until a signal."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator

from bedplate.containers import ApplicationContainer
from bedplate.wiring.lifespan import initialize_services, teardown_services

__all__ = ["work"]


async def work(container: ApplicationContainer) -> int:
    """Execute tasks until SIGTERM or SIGINT; return the exit code of the process.

    Raises:
        ConfigurationError: A setting or a module of tasks is wrong; nothing was started.
        StartError: Services did not start.
        StopError: Services did not stop cleanly.
    """
    worker = _Worker(container)
    with _signals(worker.leave):
        try:
            await initialize_services(container)
        except asyncio.CancelledError:
            if worker.signal is None:
                raise
            return 128 + worker.signal
        try:
            await worker.run()
        finally:
            await teardown_services()
    return 0


class _Worker:
    """The life of the process between the start and the stop of its services.

    Attributes:
        signal: The signal that asked it to end; None while none has.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self.signal: int | None = None
        self._container = container
        self._main = asyncio.current_task()
        self._running = False
        self._asked = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None

    def leave(self, signum: int) -> None:
        """End the start, or the work; a second time, what runs is not waited for."""
        if self._draining is not None:
            self._draining.cancel()
        elif not self._running and self.signal is None and self._main is not None:
            self._main.cancel()
        self.signal = signum
        self._asked.set()

    async def run(self) -> None:
        """Say what is there, work until asked to end, and drain."""
        self._running = True
        tasks = self._container.task().registry.names
        lines = [self._container.report.table(), "", f"Tasks:   {', '.join(sorted(tasks))}", "Worker:  ready"]
        with contextlib.suppress(BrokenPipeError):  # nobody reads it: no reason not to work
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
        await self._asked.wait()
        values = self._container.settings().values.task
        self._draining = asyncio.create_task(self._container.task_worker().drain(values.drain_timeout))
        await asyncio.wait([self._draining])


@contextlib.contextmanager
def _signals(leave: Callable[[int], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C cancels the task of asyncio.run instead
        for signum in handled:
            loop.add_signal_handler(signum, leave, signum)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for signum in handled:
                loop.remove_signal_handler(signum)
