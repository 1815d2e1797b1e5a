"""Keys by the time at which their values expire."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count

__all__ = ["DueKeys"]

_SPARE = 64
"""Outdated ones that are not worth the work of leaving them out."""


class DueKeys:
    """A queue, which forgets nothing at once: one whose value has changed since stays until it is met.

    Args:
        entries: What there really is: time, scope and key of each value that expires. It is asked for when half of
            what is queued is outdated.

    Attributes:
        timed: How many values expire; whoever takes one away counts it down.
    """

    def __init__(self, entries: Callable[[], Iterable[tuple[float, str, str]]]) -> None:
        self.timed = 0
        self._entries = entries
        self._queue: list[tuple[float, int, str, str]] = []
        self._number = count()  # breaks ties

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, due: float, scope: str, key: str) -> None:
        """Queue a value that is kept already."""
        self.timed += 1
        if len(self._queue) > 2 * self.timed + _SPARE:
            self._queue = [(due, next(self._number), scope, key) for due, scope, key in self._entries()]
            heapq.heapify(self._queue)
        else:
            heapq.heappush(self._queue, (due, next(self._number), scope, key))

    def taken(self, now: float) -> Iterator[tuple[float, str, str]]:
        """Time, scope and key of each one that is due, outdated or not; each is taken as it is given."""
        while self._queue and self._queue[0][0] <= now:
            due, _, scope, key = heapq.heappop(self._queue)
            yield due, scope, key

    def clear(self) -> None:
        """Forget all."""
        self._queue.clear()
