"""What waits for one client to read it: a bounded queue in the place of Engine.IO's unbounded one."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Outbox"]

_BATCH: Final = 16
"""Packets that are handed over at once: Engine.IO clients in Python refuse a longer answer to a poll."""
_OVERHEAD: Final = 64
"""Bytes that a packet costs beside its data, about."""


class Outbox(asyncio.Queue[Any]):
    """Packets on their way to one client, counted until the transport has taken them.

    What rooms tell is offered, and is turned away when there is no room; answers and signs of life have as much room
    again, and a client that fills that too is given up.

    Args:
        max_packets: Most packets that rooms may have waiting.
        max_bytes: Most bytes of them.
    """

    def __init__(self, max_packets: int, max_bytes: int) -> None:
        super().__init__()
        self._max_packets = max_packets
        self._max_bytes = max_bytes
        self._packets = 0
        self._bytes = 0
        self._taken: list[int] = []
        self._overflowed = False
        self._waiters: list[asyncio.Future[None]] = []
        self.on_overflow: Callable[[], None] | None = None
        """Called once, when not even answers have room."""
        self.on_drained: Callable[[], None] | None = None
        """Called whenever half of the room is free again."""

    @property
    def packets(self) -> int:
        """Packets that wait, those among them that the transport is just sending."""
        return self._packets

    @property
    def bytes(self) -> int:
        """Bytes of them."""
        return self._bytes

    def offer(self, packet: Any) -> bool:
        """Take a packet if there is room, as there is for any when nothing waits; returns whether it was taken."""
        if self._full(_size(packet), 1):
            return False
        self.put_nowait(packet)
        return True

    async def deliver(self, packet: Any) -> None:
        """Take a packet as soon as there is room."""
        while not self.offer(packet):
            await self._next_batch()

    def put_nowait(self, item: Any) -> None:
        """Take a packet, or None as the end of all."""
        if item is not None:
            size = _size(item)
            if self._full(size, 2):
                self._overflow()
                return
            self._packets += 1
            self._bytes += size
        super().put_nowait(item)

    async def get(self) -> Any:
        """The next packet, as soon as there is one; those given before have been sent."""
        self._sent()
        return await super().get()

    def get_nowait(self) -> Any:
        """The next packet, if it may still go with those of this batch."""
        if len(self._taken) >= _BATCH:
            raise asyncio.QueueEmpty
        item = super().get_nowait()
        if item is not None:
            self._taken.append(_size(item))
        return item

    async def emptied(self) -> None:
        """Return when the transport has taken everything."""
        while self._packets:
            await self._next_batch()

    def discard(self) -> None:
        """Drop what the transport has not taken yet."""
        while not self.empty():
            item = super().get_nowait()
            self.task_done()
            if item is not None:
                self._packets -= 1
                self._bytes -= _size(item)

    def _sent(self) -> None:
        if not self._taken:
            return
        self._packets -= len(self._taken)
        self._bytes -= sum(self._taken)
        self._taken.clear()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        if self.on_drained is not None and self._half_free():
            self.on_drained()

    async def _next_batch(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _full(self, size: int, times: int) -> bool:
        if self._packets >= times * self._max_packets:
            return True
        return self._packets > 0 and self._bytes + size > times * self._max_bytes

    def _half_free(self) -> bool:
        return 2 * self._packets <= self._max_packets and 2 * self._bytes <= self._max_bytes

    def _overflow(self) -> None:
        if not self._overflowed:
            self._overflowed = True
            if self.on_overflow is not None:
                self.on_overflow()


def _size(packet: Any) -> int:
    data = packet.data
    return _OVERHEAD + (len(data) if isinstance(data, str | bytes) else 0)
