"""Who waits for which load: the parts of :mod:`bedplate.services.cache.flights`."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

__all__ = ["Flight", "Seat", "StillLoadingError", "fly", "is_within"]

T = TypeVar("T")

# The flights in which the present code runs, outermost first.
_within: "contextvars.ContextVar[tuple[object, ...]]" = contextvars.ContextVar("bedplate_cache_within", default=())


class StillLoadingError(Exception):
    """The load goes on, and its caller has waited for long enough. Never leaves the service."""


class Seat(Generic[T]):
    """One caller's place in a flight.

    Attributes:
        limit: Seconds that a load with the loader of this caller may take; None: without an end.
        empty: Whether the caller has gone without taking the load along.
    """

    __slots__ = ("context", "empty", "future", "limit", "load")

    def __init__(self, load: "Callable[[Flight[T]], Awaitable[T]]", limit: float | None) -> None:
        self.load = load
        self.limit = limit
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.context = contextvars.copy_context()
        self.empty = False

    def leave_empty(self, error: Exception) -> None:
        """Let the caller go with this error, and keep the seat, so that the load goes on."""
        if self.future.done():
            return
        self.empty = True
        self.future.set_exception(error)
        self.future.exception()  # a seat that was empty from the beginning has nobody who would look at it


class Flight(Generic[T]):
    """One load under way, with those who wait for it.

    Attributes:
        key: What is being loaded.
        detached: Whether the key was written meanwhile, so that the result is already out of date: those who wait get
            it, but it is not to be stored.
        tags: What else detaches it.
        task: The load; None when it has failed or was given up.
    """

    __slots__ = ("detached", "failures", "key", "leader", "seats", "tags", "task", "timer")

    def __init__(self, key: str) -> None:
        self.key = key
        self.detached = False
        self.tags: set[str] = set()
        self.failures = 0
        self.seats: dict[Seat[T], None] = {}
        self.leader: Seat[T] | None = None
        self.task: asyncio.Task[T] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether what the present task has loaded may be stored."""
        return not self.detached and self.task is asyncio.current_task()

    def stop_timer(self) -> None:
        """Let the load take as long as it likes."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def is_within(flight: Flight[Any]) -> bool:
    """Whether the present code is part of that load."""
    return flight in _within.get()


async def fly(flight: Flight[T], leader: Seat[T]) -> T:
    """Run the loader of a caller."""
    _within.set((*_within.get(), flight))
    return await leader.load(flight)
