"""Timers for very many things at once."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["Deadlines"]

_TICK: Final = 0.01
"""Seconds by which something may come late."""

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Things whose time comes: those of the same hundredth of a second share one timer of the event loop.

    Adding and discarding cost the same however many there are, and what is discarded leaves nothing behind, while the
    loop keeps each cancelled timer of its own until half of them are such.

    Args:
        act: Called with each one whose time has come, never early, and late by a hundredth of a second at most.
    """

    def __init__(self, act: Callable[[T], object]) -> None:
        self._act = act
        self._ticks: dict[T, int] = {}
        self._buckets: dict[int, tuple[set[T], asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._ticks)

    def add(self, thing: T, when: float) -> None:
        """Let its time come at ``when`` on the clock of the running loop; it must not be there yet."""
        tick = self._ticks[thing] = math.ceil(when / _TICK)
        bucket = self._buckets.get(tick)
        if bucket is None:
            timer = asyncio.get_running_loop().call_at(tick * _TICK, self._come, tick)
            bucket = self._buckets[tick] = set(), timer
        bucket[0].add(thing)

    def discard(self, thing: T) -> None:
        """Let its time not come; nothing happens if it has, or if it is not there."""
        tick = self._ticks.pop(thing, None)
        if tick is None:
            return
        things, timer = self._buckets[tick]
        things.discard(thing)
        if not things:
            timer.cancel()
            del self._buckets[tick]

    def _come(self, tick: int) -> None:
        things, _ = self._buckets[tick]
        for thing in list(things):
            if self._ticks.get(thing) == tick:  # else it was discarded by what was done about another one
                self.discard(thing)
                self._act(thing)
