"""The services of a process that Celery executes tasks in, and what its processes know of each other.

Each child of a worker makes a container after the fork and runs it on an event loop in a thread of its own, since
Celery knows no coroutines. The main thread of the child brings runs to that loop, one after the other, and waits for
each to end.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import Value
from typing import Final, cast

from bedplate.containers import ApplicationContainer
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.task.celery import CeleryBackend
from bedplate.services.task.celery_app import NotAcceptingError
from bedplate.wiring.cli.output import print_error
from bedplate.wiring.lifespan import initialize_services, teardown_services

__all__ = ["ChildServices", "Shared"]

_STOPPING: Final = 60.0
_AGAIN_FIRST: Final = 0.2
_AGAIN_LAST: Final = 5.0

_log = get_logger("bedplate.task")


class Shared:
    """What the processes of a worker know of each other: made before the fork, in memory that they share."""

    def __init__(self) -> None:
        self._ready = Value("i", 0)
        self._failed = Value("i", 0)

    def first_ready(self) -> bool:
        """Note that a process has its services; whether it is the first."""
        with self._ready.get_lock():
            self._ready.value += 1
            return int(self._ready.value) == 1

    def first_failed(self) -> bool:
        """Note that none can have them; whether it is the first to say so."""
        with self._failed.get_lock():
            before, self._failed.value = self._failed.value, self._failed.value or 1
            return int(before) == 0

    @property
    def ever_ready(self) -> bool:
        """Whether any has been ready."""
        return int(self._ready.value) > 0

    @property
    def failed(self) -> int:
        """The exit code of a worker whose services cannot be started; 0: they can."""
        return int(self._failed.value)

    @failed.setter
    def failed(self, code: int) -> None:
        self._failed.value = code


class ChildServices:
    """The container of a process, on an event loop in a thread of its own.

    Args:
        make: Makes it.
        shared: What the processes know of each other.
        parent: The process to end when no services can be started.
    """

    def __init__(self, make: Callable[[], ApplicationContainer], shared: Shared, parent: int) -> None:
        self._make = make
        self._shared = shared
        self._parent = parent
        self._backend: Future[CeleryBackend] = Future()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._container: ApplicationContainer | None = None
        self._leaving: asyncio.Event | None = None
        self._drain: asyncio.Task[None] | None = None

    # Called on threads of Celery's

    def start(self) -> None:
        """Begin to start them; what is delivered waits for them."""
        self._thread = threading.Thread(target=self._work, name="bedplate-services", daemon=True)
        self._thread.start()

    def deliver(self, run_id: uuid.UUID) -> None:
        """Execute a run to its end.

        Raises:
            NotAcceptingError: This process is about to end.
        """
        self._backend.result().deliver(run_id)

    def drain(self) -> None:
        """Let what runs end, for ``drain_timeout``, and give back what has not; asked twice, at once."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._begin_drain)

    def stop(self) -> None:
        """Stop them, and wait until they have."""
        if self._loop is not None and self._main is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end)
        if self._thread is not None:
            self._thread.join(_STOPPING)

    # On the loop

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except BedplateError as error:  # they did not stop cleanly
            print_error(error)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._leaving = asyncio.Event()
        try:
            await self._start()
            await self._leaving.wait()
        except asyncio.CancelledError:  # the start was broken off
            self._refuse()
        except Exception as error:
            self._refuse()
            self._fail(error)
        finally:
            await teardown_services()

    async def _start(self) -> None:
        """Start them; if others have their services already, again and again until they do."""
        wait = _AGAIN_FIRST
        while True:
            try:
                container = self._make()
                backend = cast(CeleryBackend, container.task().carrier)
                backend.delivers = True
                await initialize_services(container)
                break
            except BedplateError as error:
                if not self._shared.ever_ready:
                    raise
                _log.warning("services of a worker do not start", error=type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _AGAIN_LAST)
        if self._shared.first_ready():
            _announce(container)
        self._container = container
        self._backend.set_result(backend)

    def _end(self) -> None:
        if self._backend.done() and self._leaving is not None:
            self._leaving.set()
        elif self._main is not None:
            self._main.cancel()

    def _begin_drain(self) -> None:
        if self._container is None:
            self._end()
        elif self._drain is None:
            self._drain = asyncio.create_task(self._drain_worker(self._container))
        else:
            self._drain.cancel()

    async def _drain_worker(self, container: ApplicationContainer) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # asked twice: the worker has given back what ran
            await container.task_worker().drain(container.settings().values.task.drain_timeout)

    def _refuse(self) -> None:
        if not self._backend.done():
            self._backend.set_exception(NotAcceptingError())

    def _fail(self, error: Exception) -> None:
        """Say why no services can be started, once for all processes, and end the worker."""
        if not self._shared.first_failed():
            return
        if isinstance(error, BedplateError):
            self._shared.failed = print_error(error)
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        os.kill(self._parent, signal.SIGTERM)


def _announce(container: ApplicationContainer) -> None:
    tasks = container.task().registry.names
    lines = [container.report.table(), "", f"Tasks:   {', '.join(sorted(tasks))}", "Worker:  ready"]
    with contextlib.suppress(BrokenPipeError):  # nobody reads it: no reason not to work
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
