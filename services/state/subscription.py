"""Subscriptions: changes of one key, in order, within a bounded buffer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from bedplate.services.cache import Item
from bedplate.services.state.models import ChangeKind, StateChange

__all__ = ["Change", "Subscription"]


class Change(NamedTuple):
    """A change as a backend tells of it; the value stays encoded until a subscriber reads it."""

    kind: ChangeKind
    version: int
    item: Item | None = None


class Subscription:
    """The changes of one key, as an asynchronous iterator; made by :meth:`StateService.subscribe`.

    ::

        async with await state.subscribe(scope, "progress") as changes:
            async for change in changes:
                ...

    It holds a bounded number of changes and bytes. A subscriber that lags further behind loses what waits for it and
    gets, when it reads again, one change that says how many it missed and what the value is now; from there it goes on
    without a gap. It never makes a writer wait. It ends when the scope is closed, when the service stops, or when
    its block is left.

    Args:
        key: The key.
        current: Reads what the key holds now, as a change.
        value: Decodes an item into the caller's own copy.
        leave: Tells the backend that nobody listens any more.
        max_changes: Most changes that wait.
        max_bytes: Most encoded bytes that wait.
        dropped: Told how many changes were lost.

    Attributes:
        key: As given.
    """

    def __init__(
        self,
        key: str,
        *,
        current: Callable[[], Awaitable[Change]],
        value: Callable[[Item], Any],
        leave: Callable[["Subscription"], Awaitable[None]],
        max_changes: int,
        max_bytes: int,
        dropped: Callable[[int], None],
    ) -> None:
        self.key = key
        self._current = current
        self._value = value
        self._leave = leave
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._dropped = dropped
        self._waiting: deque[Change] = deque()
        self._bytes = 0
        self._missed = 0
        self._seen = 0
        self._ended = False
        self._news = asyncio.Event()

    def push(self, change: Change) -> None:
        """Take a change from the backend; never waits and never fails."""
        if self._ended:
            return
        size = _size(change)
        if not self._missed and len(self._waiting) < self._max_changes and self._bytes + size <= self._max_bytes:
            self._waiting.append(change)
            self._bytes += size
        else:
            self._lose()
        self._news.set()

    def miss(self) -> None:
        """Note that at least one change has been lost on its way from the backend."""
        if not self._ended:
            self._lose()
            self._news.set()

    @property
    def ended(self) -> bool:
        """Whether no further change comes."""
        return self._ended

    def end(self) -> None:
        """Let the subscriber read what waits, and then come to the end."""
        self._ended = True
        self._news.set()

    async def aclose(self) -> None:
        """Stop listening; what waits is lost. May be called twice."""
        self.end()
        self._waiting.clear()
        self._bytes = self._missed = 0
        await self._leave(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StateChange:
        while True:
            if self._missed:
                return await self._catch_up()
            while self._waiting:
                change = self._waiting.popleft()
                self._bytes -= _size(change)
                if change.version > self._seen:  # else it is part of what a reader that lagged was given
                    self._seen = change.version
                    return self._made(change, 0)
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()

    def _lose(self) -> None:
        lost = len(self._waiting) + 1
        self._waiting.clear()
        self._bytes = 0
        self._missed += lost
        self._dropped(lost)

    async def _catch_up(self) -> StateChange:
        missed, self._missed = self._missed, 0
        try:
            # What is changed meanwhile waits, and is left out if it is in what is read.
            change = await self._current()
        except BaseException:
            self._missed += missed
            raise
        self._seen = max(self._seen, change.version)
        return self._made(change, missed)

    def _made(self, change: Change, missed: int) -> StateChange:
        value = None if change.item is None else self._value(change.item)
        return StateChange(key=self.key, kind=change.kind, value=value, version=change.version, missed=missed)


def _size(change: Change) -> int:
    return 0 if change.item is None else len(change.item.data)
