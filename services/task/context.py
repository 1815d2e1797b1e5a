"""What a running task knows of itself, and how it tells how far it is."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from structlog.stdlib import BoundLogger

from bedplate.services.logs import get_logger
from bedplate.services.task.models import Progress

__all__ = ["TaskContext"]

T = TypeVar("T")

_MAX_MESSAGE = 1_000
_log = get_logger("bedplate.task.run")


class TaskContext:
    """Given to a task whose function has a parameter annotated with this class.

    Usable from the event loop and from the thread of a plain function alike.

    Attributes:
        run_id: The run.
        user_id: Its owner; None: the system.
        name: The task.
        attempt: Which start of the run this is, from 1.
        log: A logger that says which task it is.
    """

    def __init__(
        self,
        *,
        run_id: uuid.UUID,
        user_id: uuid.UUID | None,
        name: str,
        attempt: int,
        reported: Callable[[Progress], None],
    ) -> None:
        self.run_id = run_id
        self.user_id = user_id
        self.name = name
        self.attempt = attempt
        self.log: BoundLogger = _log.bind(task=name, task_id=str(run_id), attempt=attempt)
        self._loop = asyncio.get_running_loop()
        self._reported = reported
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether the run is asked to end: a plain function looks now and then, and returns or raises."""
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Raise ``CancelledError`` if the run is asked to end."""
        if self._cancelled:
            raise asyncio.CancelledError

    def progress(self, fraction: float | None = None, message: str | None = None, **data: Any) -> None:
        """Tell how far the task is; cheap enough to call for every item, as reports are gathered before written.

        Args:
            fraction: From 0 to 1; what is beyond is cut off.
            message: For people.
            **data: JSON-like details for programs.
        """
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        text = None if message is None else str(message)[:_MAX_MESSAGE]
        self._reported(Progress(fraction=fraction, message=text, data=data))

    def call(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """Call an asynchronous function, such as a service's method, from the thread of a plain one, and wait for it.

        Raises:
            RuntimeError: It is called on the event loop, which it would block for ever.
        """
        if _on_loop(self._loop):
            raise RuntimeError("call() is for plain functions; await the function instead")

        async def awaited() -> T:
            return await function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def _cancel(self) -> None:
        self._cancelled = True


def _on_loop(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
