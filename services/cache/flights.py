"""Single-flight: one load at a time for a key, whose result everybody gets who waits for it.

A load runs in a task of its own, not in that of the caller who began it, so that a cancelled caller takes nothing from
the others; the last one to leave takes the load with it. A load that fails is its caller's failure: the next caller's
loader is tried, once, before the others are told, so that neither one caller's bad loader harms a crowd, nor a crowd
calls a system that is down one by one.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from bedplate.services.cache.errors import LoadCancelledError, RecursiveLoadError

__all__ = ["Flight", "Flights"]

T = TypeVar("T")

MAX_FAILURES = 2
"""Loads of one flight that may fail before all who wait for it are told."""

# The flights in which the present code runs, outermost first.
_within: "contextvars.ContextVar[tuple[object, ...]]" = contextvars.ContextVar("bedplate_cache_within", default=())


class _Seat(Generic[T]):
    """One caller's place in a flight."""

    __slots__ = ("context", "future", "load")

    def __init__(self, load: "Callable[[Flight[T]], Awaitable[T]]") -> None:
        self.load = load
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.context = contextvars.copy_context()


class Flight(Generic[T]):
    """One load under way, with those who wait for it.

    Attributes:
        key: What is being loaded.
        detached: Whether the key was written meanwhile, so that the result is already out of date: those who wait get
            it, but it is not to be stored.
    """

    __slots__ = ("detached", "failures", "key", "leader", "seats", "task")

    def __init__(self, key: str) -> None:
        self.key = key
        self.detached = False
        self.failures = 0
        self.seats: dict[_Seat[T], None] = {}
        self.leader: _Seat[T] | None = None
        self.task: asyncio.Task[T] | None = None


class Flights(Generic[T]):
    """The flights of one namespace."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()
        self._closing = False

    async def join(self, key: str, load: Callable[[Flight[T]], Awaitable[T]]) -> T:
        """Wait for the load of ``key`` that is under way, or begin one with ``load``.

        Raises:
            RecursiveLoadError: The caller is part of the load that it would wait for.
            LoadCancelledError: The load was cancelled, though the caller was not.
            Exception: What the loader raised.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(key)
        elif flight in _within.get():
            raise RecursiveLoadError(key)
        seat = _Seat(load)
        flight.seats[seat] = None
        if flight.task is None:
            self._launch(flight)
        try:
            return await seat.future
        except asyncio.CancelledError:
            await self._leave(flight, seat)
            raise

    def detach(self, key: str) -> None:
        """Let the load of ``key`` that is under way not be stored, nor joined by anybody else."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.detached = True

    def detach_all(self) -> None:
        """:meth:`detach` for every load under way."""
        for key in list(self._flights):
            self.detach(key)

    async def close(self) -> None:
        """Cancel every load, and return when all have ended; those who wait get a LoadCancelledError."""
        self._closing = True
        try:
            while self._tasks:
                for task in self._tasks:
                    task.cancel()
                await asyncio.wait(self._tasks)
        finally:
            self._closing = False

    def _launch(self, flight: Flight[T]) -> None:
        """Load with the loader of the first who waits, in the context in which it asked."""
        leader = flight.leader = next(iter(flight.seats))
        task = flight.task = asyncio.get_running_loop().create_task(_fly(flight, leader), context=leader.context)
        self._tasks.add(task)
        task.add_done_callback(partial(self._landed, flight))

    def _landed(self, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        error = LoadCancelledError(flight.key) if task.cancelled() else task.exception()
        if error is None:
            self._release(flight)
            for seat in flight.seats:
                if not seat.future.done():
                    seat.future.set_result(task.result())
            return
        flight.failures += 1
        if flight.leader in flight.seats:
            del flight.seats[flight.leader]
            _fail(flight.leader, error)
        if flight.seats and flight.failures < MAX_FAILURES and not self._closing:
            self._launch(flight)
            return
        self._release(flight)
        for seat in flight.seats:
            _fail(seat, error)

    def _release(self, flight: Flight[T]) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    async def _leave(self, flight: Flight[T], seat: _Seat[T]) -> None:
        """Give up a seat; the last to leave ends the load, and waits until it has ended."""
        flight.seats.pop(seat, None)
        if seat.future.done() and not seat.future.cancelled():
            seat.future.exception()  # looked at, so that nobody warns of an exception that was never retrieved
        task = flight.task
        if flight.seats or task is None or task.done():
            return
        self._release(flight)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # cancelled again: the caller goes at once
            await asyncio.wait([task])


async def _fly(flight: Flight[T], leader: _Seat[T]) -> T:
    _within.set((*_within.get(), flight))
    return await leader.load(flight)


def _fail(seat: _Seat[T], error: BaseException) -> None:
    if not seat.future.done():
        seat.future.set_exception(error)
