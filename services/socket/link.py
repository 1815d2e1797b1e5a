"""The way to one client: an Engine.IO session with a bounded outbox, and a count of what comes from it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from engineio.packet import MESSAGE, Packet

from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.connection import Connection
from bedplate.services.socket.errors import TooManyEventsError
from bedplate.services.socket.limits import TokenBucket
from bedplate.services.socket.outbox import Outbox

__all__ = ["EngineLink"]

_FAREWELL: Final = 2.0
"""Seconds that last packets may take to reach a client."""
_REFUSALS_IN: Final = 10.0
"""Seconds in which ``max_refused`` events may be refused."""
_DISCONNECT: Final = "1"


class EngineLink:
    """One Engine.IO session: the way to a client, whoever it is.

    Args:
        settings: Limits.
        socket: The session, as the library knows it.
        on_overflow: Called when not even answers have room in the outbox.
        on_drained: Called whenever half of the outbox is free.

    Attributes:
        connection: The client, once it is in.
        outbox: What waits for it.
        timer: Runs while the client has not said who it is.
        ending: The task that sends last packets, once they are on their way.
    """

    def __init__(
        self,
        settings: SocketSettings,
        socket: Any,
        on_overflow: Callable[["EngineLink"], None],
        on_drained: Callable[["EngineLink"], None],
    ) -> None:
        self.connection: Connection | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.ending: asyncio.Task[None] | None = None
        self._socket = socket
        self.outbox: Outbox = socket.queue
        self.outbox.on_overflow = lambda: on_overflow(self)
        self.outbox.on_drained = lambda: on_drained(self)
        self._events = TokenBucket(settings.events_per_second, settings.events_burst)
        self._bytes = TokenBucket(settings.bytes_per_second, settings.bytes_burst)
        self._refusals = TokenBucket(settings.max_refused / _REFUSALS_IN, settings.max_refused)

    def send(self, text: str) -> None:
        """Send a packet."""
        if self.ending is None:
            self.outbox.put_nowait(Packet(MESSAGE, text))

    def offer(self, text: str) -> bool:
        """Send a packet if there is room for it."""
        return self.ending is not None or self.outbox.offer(Packet(MESSAGE, text))

    async def deliver(self, text: str) -> None:
        """Send a packet as soon as there is room for it."""
        if self.ending is None:
            await self.outbox.deliver(Packet(MESSAGE, text))

    def excess(self, size: int) -> TooManyEventsError | None:
        """Count an event of so many bytes; returns why it is too much, if it is."""
        if wait := self._events.take():
            return TooManyEventsError("too many events in a second", "EVENTS_PER_SECOND", wait)
        if wait := self._bytes.take(size):
            return TooManyEventsError("too many bytes in a second", "BYTES_PER_SECOND", wait)
        return None

    def refusal(self) -> bool:
        """Count an event that was refused; returns whether it was one too many."""
        return self._refusals.take() > 0

    def finish(self, *farewell: str, again: bool = False, discard: bool = False) -> None:
        """Send last packets and end the session."""
        if self.ending is not None:
            return
        if discard:
            self.outbox.discard()
        # A client that Socket.IO disconnects stays away; one whose connection just ends comes back by itself.
        for text in farewell if again else (*farewell, _DISCONNECT):
            self.outbox.put_nowait(Packet(MESSAGE, text))
        self.ending = asyncio.get_running_loop().create_task(self._finish(), name="bedplate-socket-farewell")

    async def abort(self) -> None:
        """End the session at once."""
        await self._socket.close(wait=False, abort=True, reason=self._socket.server.reason.SERVER_DISCONNECT)

    def closed(self) -> None:
        """Note that the session has ended."""
        if self.timer is not None:
            self.timer.cancel()
        self.outbox.put_nowait(None)  # a poll that waits would go on waiting

    async def _finish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self.outbox.emptied()
        await self.abort()
