"""How the branches of a run report to the one that reads their events."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Channel"]

T = TypeVar("T")


class Channel(Generic[T]):
    """A queue of many writers and one reader on one event loop.

    ``put`` waits while the queue is full, so that a slow reader slows the run instead of filling the memory; ``push``
    does not wait, for what there is a bounded number of. After ``close`` nobody waits and nothing is kept.

    Args:
        limit: Most items for which ``put`` does not wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._closed = False
        self._items: deque[T] = deque()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()

    async def put(self, item: T) -> None:
        """Add an item, when there is room."""
        while len(self._items) >= self._limit and not self._closed:
            self._writable.clear()
            await self._writable.wait()
        self.push(item)

    def push(self, item: T) -> None:
        """Add an item at once."""
        if not self._closed:
            self._items.append(item)
            self._readable.set()

    def close(self) -> None:
        """The reader reads no more: writers that wait go on, also those that write while they are being cancelled."""
        self._closed = True
        self._items.clear()
        self._writable.set()

    async def get(self) -> T:
        """Take the oldest item, when there is one."""
        while not self._items:
            self._readable.clear()
            await self._readable.wait()
        item = self._items.popleft()
        self._writable.set()
        return item
