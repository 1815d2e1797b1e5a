"""Single-flight: one load at a time for a key, whose result everybody gets who waits for it.

A load runs in a task of its own, not in that of the caller who began it, so that a cancelled caller takes nothing from
the others; the last one to leave takes the load with it. A load that fails is its caller's failure: the next caller's
loader is tried, once, before the others are told, so that neither one caller's bad loader harms a crowd, nor a crowd
calls a system that is down one by one.

No load goes on for longer than the limit of the caller whose loader it is, and no caller waits for longer than their
own: a load whose time is over is cancelled and given up at once, whether or not it heeds that.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from bedplate.services.cache.errors import (
    LoadCancelledError,
    LoadTimeoutError,
    RecursiveLoadError,
    TooManyHungLoadsError,
)
from bedplate.services.cache.seats import Flight, Seat, StillLoadingError, fly, is_within

__all__ = ["Flights"]

T = TypeVar("T")

MAX_FAILURES = 2
"""Loads of one flight that may fail before all who wait for it are told."""

MAX_HUNG = 100
"""Loads of a namespace that were given up and have not ended, beyond which no other is begun."""


class Flights(Generic[T]):
    """The flights of one namespace.

    Args:
        unseen: Called with the key and the error when a load fails that nobody waits for.
    """

    def __init__(self, unseen: Callable[[str, BaseException], None]) -> None:
        self._unseen = unseen
        self._flights: dict[str, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()
        self._hung: set[asyncio.Task[T]] = set()
        self._closing = False
        self.timeouts = 0

    async def join(
        self,
        key: str,
        load: Callable[[Flight[T]], Awaitable[T]],
        *,
        tags: Iterable[str] = (),
        soft: float | None = None,
        hard: float | None = None,
    ) -> T:
        """Wait for the load of ``key`` that is under way, or begin one with ``load``.

        Args:
            key: What is loaded.
            load: What loads it.
            tags: What the load can be detached by.
            soft: Seconds after which to wait no longer, and to let the load go on; None: without an end.
            hard: Seconds that ``load`` may take, and after which to wait no longer; None: without an end.

        Raises:
            StillLoadingError: The soft limit is over.
            LoadTimeoutError: The hard limit is over.
            RecursiveLoadError: The caller is part of the load that it would wait for.
            LoadCancelledError: The load was cancelled, though the caller was not.
            TooManyHungLoadsError: Too many loads do not end.
            Exception: What the loader raised.
        """
        if key not in self._flights and len(self._hung) >= MAX_HUNG:
            raise TooManyHungLoadsError(len(self._hung))
        flight = self._flight(key, tags)
        if is_within(flight):
            raise RecursiveLoadError(key)
        seat = Seat(load, hard)
        flight.seats[seat] = None
        if flight.task is None:
            self._launch(flight)
        timers = self._timers(flight, seat, soft, hard)
        try:
            return await seat.future
        except asyncio.CancelledError:
            await self._leave(flight, seat)
            raise
        finally:
            for timer in timers:
                timer.cancel()

    def begin(
        self,
        key: str,
        load: Callable[[Flight[T]], Awaitable[T]],
        *,
        tags: Iterable[str] = (),
        hard: float | None = None,
    ) -> bool:
        """Load ``key`` in the background unless it is being loaded; whether that was begun."""
        if key in self._flights or self._closing or len(self._hung) >= MAX_HUNG:
            return False
        flight = self._flight(key, tags)
        seat = Seat(load, hard)
        seat.leave_empty(StillLoadingError())
        flight.seats[seat] = None
        self._launch(flight)
        return True

    def detach(self, key: str) -> None:
        """Let the load of ``key`` that is under way not be stored, nor joined by anybody else."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.detached = True

    def detach_all(self) -> None:
        """:meth:`detach` for every load under way."""
        for key in list(self._flights):
            self.detach(key)

    def detach_tagged(self, tags: Iterable[str]) -> None:
        """:meth:`detach` for every load under way that has one of the tags."""
        wanted = set(tags)
        for key in [key for key, flight in self._flights.items() if not wanted.isdisjoint(flight.tags)]:
            self.detach(key)

    async def close(self) -> None:
        """Cancel every load, and return when all have ended; those who wait get a LoadCancelledError."""
        self._closing = True
        try:
            while running := self._tasks | self._hung:
                for task in running:
                    task.cancel()
                await asyncio.wait(running)
        finally:
            self._closing = False

    def _flight(self, key: str, tags: Iterable[str]) -> Flight[T]:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(key)
        flight.tags.update(tags)
        return flight

    def _timers(
        self, flight: Flight[T], seat: Seat[T], soft: float | None, hard: float | None
    ) -> list[asyncio.TimerHandle]:
        loop, timers = asyncio.get_running_loop(), []
        if soft is not None:
            timers.append(loop.call_later(soft, seat.leave_empty, StillLoadingError()))
        if hard is not None:
            timers.append(loop.call_later(hard, self._give_up, flight, seat, hard))
        return timers

    def _launch(self, flight: Flight[T]) -> None:
        """Load with the loader of the first who waits, in the context in which it asked."""
        leader = flight.leader = next(iter(flight.seats))
        loop = asyncio.get_running_loop()
        task = flight.task = loop.create_task(fly(flight, leader), context=leader.context)
        self._tasks.add(task)
        task.add_done_callback(partial(self._landed, flight))
        if leader.limit is not None:
            flight.timer = loop.call_later(leader.limit, self._overdue, flight, leader.limit)

    def _landed(self, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        self._hung.discard(task)
        error = LoadCancelledError(flight.key) if task.cancelled() else task.exception()
        if flight.task is not task:
            return  # it was given up
        if error is not None:
            self._land(flight, error)
            return
        self._release(flight)
        for seat in flight.seats:
            if not seat.future.done():
                seat.future.set_result(task.result())

    def _land(self, flight: Flight[T], error: BaseException) -> None:
        """Tell those whom a failed load concerns, and try the next loader."""
        flight.stop_timer()
        flight.task = None
        flight.failures += 1
        if flight.leader in flight.seats:
            del flight.seats[flight.leader]
            self._fail(flight, flight.leader, error)
        if flight.seats and flight.failures < MAX_FAILURES and len(self._hung) < MAX_HUNG and not self._closing:
            self._launch(flight)
            return
        self._release(flight)
        for seat in flight.seats:
            self._fail(flight, seat, error)

    def _fail(self, flight: Flight[T], seat: Seat[T], error: BaseException) -> None:
        if not seat.future.done():
            seat.future.set_exception(error)
        elif seat.empty and not self._closing:
            self._unseen(flight.key, error)

    def _overdue(self, flight: Flight[T], limit: float) -> None:
        """Give up a load whose time is over."""
        self.timeouts += 1
        self._abandon(flight)
        self._land(flight, LoadTimeoutError(flight.key, limit))

    def _give_up(self, flight: Flight[T], seat: Seat[T], limit: float) -> None:
        """Let a caller whose time is over wait no longer; the last to leave takes the load along."""
        if seat.future.done():
            return
        del flight.seats[seat]
        self.timeouts += 1
        seat.future.set_exception(LoadTimeoutError(flight.key, limit))
        if not flight.seats:
            self._release(flight)
            self._abandon(flight)

    def _abandon(self, flight: Flight[T]) -> None:
        task, flight.task = flight.task, None
        flight.stop_timer()
        if task is not None and not task.done():
            self._tasks.discard(task)
            self._hung.add(task)
            task.cancel()

    def _release(self, flight: Flight[T]) -> None:
        flight.stop_timer()
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    async def _leave(self, flight: Flight[T], seat: Seat[T]) -> None:
        """Give up a seat; the last to leave ends the load, and waits until it has ended, or its time would be over."""
        flight.seats.pop(seat, None)
        if seat.future.done() and not seat.future.cancelled():
            seat.future.exception()  # looked at, so that nobody warns of an exception that was never retrieved
        task = flight.task
        if flight.seats or task is None or task.done():
            return
        self._release(flight)
        flight.detached = True
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # cancelled again: the caller goes at once
            await asyncio.wait([task], timeout=seat.limit)
        if not task.done():
            self._hung.add(task)
