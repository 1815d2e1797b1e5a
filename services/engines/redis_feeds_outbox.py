"""What one process has to say to feeds, sent in batches, each exactly once, also over a server that was away."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger

__all__ = ["FeedOutbox", "Item"]

_log = get_logger("bedplate.redis")

Item = tuple[str, str, bytes]
"""What is done: ``say``, ``leave``, ``cut`` or ``cut-all``; the name of the feed; and data."""

_BATCH_ITEMS: Final = 64
_BATCH_BYTES: Final = 256 * 1024
_OVERHEAD: Final = 128
_CUTS: Final = 10_000
_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 1.0
_REFUSALS: Final = 3
"""How often a batch that the server refuses is tried."""


class FeedOutbox:
    """Sends what is said, in its order.

    While the server is away it keeps as much as it may; of what is more, the latest is lost, and the feeds that lose
    something are cut once the server is back: whoever reads them learns of a gap.

    Args:
        execute: Executes a batch with its number; one whose number was executed is to have no effect.
        max_items: Most items that wait.
        max_bytes: Most bytes of them.
    """

    def __init__(
        self, execute: Callable[[int, Sequence[Item]], Awaitable[None]], *, max_items: int, max_bytes: int
    ) -> None:
        self._execute = execute
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._number = 0
        self._cut: set[str] = set()
        self._lost = 0
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def lost(self) -> int:
        """How many events were lost since the process began."""
        return self._lost

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bedplate-feeds-outbox")

    async def stop(self, patience: float) -> None:
        """Send what waits, within so many seconds, and then no more."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self.flushed()
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._items.clear()
            self._cut.clear()
            self._bytes = 0
            self._idle.set()

    async def flushed(self) -> None:
        """Return when everything has been sent."""
        await self._idle.wait()

    def say(self, name: str, payload: bytes) -> None:
        """Send an event to a feed."""
        if self._task is None:
            return
        if len(self._items) >= self._max_items or self._bytes + len(payload) > self._max_bytes:
            self._lose(name)
            return
        self._put(("say", name, payload))

    def leave(self, name: str, who: bytes) -> None:
        """Watch a feed no more."""
        if self._task is not None and len(self._items) < 2 * self._max_items:  # a registration ends by itself, too
            self._put(("leave", name, who))

    def cut(self, name: str) -> None:
        """Let a feed begin anew, because events of it are missing."""
        self._cut.add(name)
        self._news.set()
        self._idle.clear()

    def _put(self, item: Item) -> None:
        self._items.append(item)
        self._bytes += len(item[2]) + _OVERHEAD
        self._idle.clear()
        self._news.set()

    def _lose(self, name: str) -> None:
        if not self._lost:
            _log.warning("events of feeds are lost while Redis cannot take them")
        self._lost += 1
        self._cut.add(name)

    async def _run(self) -> None:
        while True:
            if not self._items and not self._cut:
                self._idle.set()
                self._news.clear()
                await self._news.wait()
            batch = self._take()
            self._number += 1
            if not await self._deliver(batch):
                for what, name, _ in batch:
                    if what == "say":
                        self._lose(name)

    async def _deliver(self, batch: list[Item]) -> bool:
        """Have a batch executed; returns False if the server refuses it."""
        delay, refusals = _FIRST_DELAY, 0
        while True:
            try:
                await self._execute(self._number, batch)
            except Exception as error:
                refusals += not _passes(error)
                if refusals == _REFUSALS:
                    _log.error("Redis refuses events of feeds", exc_info=error)
                    return False
            else:
                return True
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    def _take(self) -> list[Item]:
        batch: list[Item] = []
        size = 0
        while self._items and len(batch) < _BATCH_ITEMS and size < _BATCH_BYTES:
            item = self._items.popleft()
            self._bytes -= len(item[2]) + _OVERHEAD
            size += len(item[2])
            batch.append(item)
        if not self._items and self._cut:
            batch += self._cuts()
        return batch

    def _cuts(self) -> list[Item]:
        epoch = secrets.token_hex(4).encode()
        if len(self._cut) > _CUTS:
            self._cut.clear()
            return [("cut-all", "", epoch)]
        return [("cut", self._cut.pop(), epoch) for _ in range(min(_BATCH_ITEMS, len(self._cut)))]


def _passes(error: Exception) -> bool:
    """Whether trying again may help: not if the server understands, and refuses."""
    cause: Any = error.__cause__
    return isinstance(error, UnavailableError) and type(cause).__name__ != "ResponseError"
