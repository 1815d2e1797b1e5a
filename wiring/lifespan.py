"""Starting and stopping the services of a process, with ASGI or without, and the container that is current in it."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bedplate.containers import ContainerInstance, application_container
from bedplate.containers.errors import AlreadyWiredError, NotWiredError
from bedplate.services.collector import collector_paused
from bedplate.wiring.tasks import wire_tasks

__all__ = ["current_container", "initialize_services", "lifespan", "teardown_services"]

_current: ContainerInstance | None = None


def current_container() -> ContainerInstance:
    """The container that :func:`initialize_services` started.

    Raises:
        NotWiredError: There is none.
    """
    if _current is None:
        raise NotWiredError(
            "no container is current in this process", fix="call await initialize_services(container) first"
        )
    return _current


async def initialize_services(container: ContainerInstance | None = None) -> ContainerInstance:
    """Start all services of a container and make it the current one; do nothing if it is.

    The modules of tasks, Bedplate's own and those that ``BEDPLATE_TASK__MODULES`` names, are imported and wired to it.

    Args:
        container: The container; None: the current one, or a new ``ApplicationContainer`` with all plug-ins.

    Returns:
        The running container.

    Raises:
        AlreadyWiredError: Another container is current and running.
        TaskModuleError: A module of tasks cannot be imported.
        StartError: Services did not start; nothing is left running, and no container is current.
    """
    global _current  # the one variable that this module is about
    chosen = container or _current or application_container()
    if _current is not None and _current is not chosen and _current.started:
        raise AlreadyWiredError(
            "another running container is current in this process",
            fix="call await teardown_services() first; replicas in tests need a process each",
        )
    before, _current = _current, chosen
    try:
        wire_tasks(chosen)
        await chosen.init_resources()
    except BaseException:
        _current = before if before is not chosen or chosen.started else None
        raise
    return chosen


async def teardown_services() -> None:
    """Stop all services of the current container, after which none is current; do nothing if there is none.

    Raises:
        StopError: Services did not stop cleanly; all the others are stopped.
    """
    global _current  # see above
    if _current is None:
        return
    leaving = _current
    try:
        await leaving.shutdown_resources()
    finally:
        if _current is leaving:
            _current = None


def lifespan(container: ContainerInstance | None = None) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The lifespan of an ASGI app: ``FastAPI(lifespan=lifespan(container))``.

    Starts the services for the life of the app; those of a container that runs already are left running. While the
    app runs, what the start has made is out of the garbage collector's sight: a full collection of a large heap that
    never changes stalls the event loop for a quarter of a second. At its end all are in sight again, those of a host
    that had frozen its own as well; ``server.gc_freeze`` of the settings switches it off.
    """

    @asynccontextmanager
    async def run(_app: Any) -> AsyncIterator[None]:
        chosen = container or _current or application_container()
        ours = not chosen.started
        with collector_paused():
            await initialize_services(chosen)
            if freezes := _freezes(chosen):
                gc.freeze()  # before the collector is on again, which would look through all of it at once
        try:
            yield
        finally:
            if freezes:
                gc.unfreeze()
            if ours:
                await teardown_services()

    return run


def _freezes(container: ContainerInstance) -> bool:
    settings = container.providers.get("settings")
    return settings is None or bool(settings().values.server.gc_freeze)
