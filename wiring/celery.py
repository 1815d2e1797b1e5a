"""``bedplate worker`` over Celery: a real worker of Celery, with the services in each process that executes.

Celery's parent process has no services: it forks, takes messages, and hands them to its children; see
``celery_services.py`` for these. With the pool ``threads`` there is one process with one container.
"""

import contextlib
import gc
import logging
import os
import signal
import uuid
import warnings
from collections.abc import Callable
from typing import Any, Final

from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning

from bedplate.containers import ApplicationContainer
from bedplate.services.settings import SettingsService
from bedplate.services.task.celery import CeleryBackend
from bedplate.services.task.celery_app import make_app
from bedplate.services.task.celery_broker import broker_address, consumed
from bedplate.services.telemetry.log_router import LogRouter
from bedplate.wiring.celery_services import ChildServices, Shared
from bedplate.wiring.tasks import import_tasks

__all__ = ["work"]

_LOGGERS: Final = dict.fromkeys(("celery", "kombu", "amqp", "multiprocessing"), logging.WARNING)
"""Celery's own, from warnings up."""
_WARNINGS: Final = (SecurityWarning, CPendingDeprecationWarning)
"""Of running as root, since it might open pickles, which it never does here; and that it may one day end what runs when
the broker goes, unless it is told not to, as it is."""
_DRAIN: Final = signal.SIGURG
"""What the parent tells its children with that it is ending: nobody else sends it, and Celery leaves it alone.

A child that is sent SIGTERM itself drains too, as its services stop, but leaves its parent without an answer.
"""


def work(make: Callable[[], ApplicationContainer], settings: SettingsService) -> int:
    """Execute what Celery delivers until SIGTERM or SIGINT; return the exit code of the process.

    Args:
        make: Makes a container, in each process that executes.
        settings: The settings.

    Raises:
        ConfigurationError: A setting or a module of tasks is wrong; nothing was started.
        BrokerUnavailableError: The broker does not answer.
    """
    values = settings.values.task
    address = broker_address(settings)
    consumed(values)
    import_tasks(values.modules)  # once for all children, and an error in one of them ends it here
    CeleryBackend(values, address).call()
    program = _Program(make, settings)
    return program.run(make_app(values, address, program.deliver))


class _Program:
    """The worker of Celery, from its start to its end."""

    def __init__(self, make: Callable[[], ApplicationContainer], settings: SettingsService) -> None:
        self._values = settings.values.task
        self._settings = settings
        self._shared = Shared()
        self._parent = os.getpid()
        self._services = ChildServices(make, self._shared, self._parent)
        self._worker: Any = None

    def deliver(self, run_id: uuid.UUID) -> None:
        """Execute a run in this process."""
        self._services.deliver(run_id)

    def run(self, app: Any) -> int:
        """Work until asked to end; the exit code."""
        prefork = self._values.worker_pool == "prefork"
        handlers: list[tuple[Any, Callable[..., None]]] = [
            (signals.setup_logging, lambda **_: None),  # so that Celery sets nothing up
            (signals.worker_shutting_down, self._leave),
        ]
        if prefork:
            handlers += [(signals.worker_process_init, self._forked), (signals.worker_process_shutdown, self._end)]
        for happening, handler in handlers:
            happening.connect(handler, weak=False)
        router = self._router()
        router.install()
        router.route(_LOGGERS)
        try:
            if prefork:
                gc.collect()
                gc.freeze()  # so that collections in the children leave the memory shared that is as it was at the fork
            else:
                self._services.start()
            with warnings.catch_warnings():
                for kind in _WARNINGS:
                    warnings.simplefilter("ignore", kind)
                self._worker = self._made(app)
                self._worker.start()
            if not prefork:
                self._services.stop()
        finally:
            router.remove()
            for happening, handler in handlers:
                happening.disconnect(handler)
        return self._shared.failed or int(self._worker.exitcode or 0)

    def _made(self, app: Any) -> Any:
        values = self._values
        return app.Worker(
            hostname=f"bedplate-{os.getpid()}@%h",
            pool=values.worker_pool,
            concurrency=values.concurrency if values.worker_pool == "threads" else values.worker_processes or None,
            queues=",".join(consumed(values)),
            loglevel="WARNING",
            quiet=True,
            optimization="fair",
            without_gossip=True,
            without_mingle=True,
        )

    def _router(self) -> LogRouter:
        values = self._settings.values.telemetry
        return LogRouter(logging.WARNING, values.log_format, values.log_handler)

    def _leave(self, **_: Any) -> None:
        """Pass the signal that ends the worker on to those who execute; called in its handler."""
        if self._values.worker_pool == "threads":
            self._services.drain()
            return
        pool = getattr(getattr(self._worker, "pool", None), "_pool", None)
        for process in getattr(pool, "_pool", ()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, _DRAIN)

    def _forked(self, **_: Any) -> None:
        """Give a child its services; called in it."""
        signal.signal(_DRAIN, lambda *_: self._services.drain())
        self._services.start()

    def _end(self, **_: Any) -> None:
        self._services.stop()
