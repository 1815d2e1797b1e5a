"""Watches one WebSocket: frames that the library chokes on, and a client that takes nothing."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from bedplate.services.errors import BedplateError
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.errors import EventTooLargeError, MalformedPacketError

if TYPE_CHECKING:
    from bedplate.services.socket.link import EngineLink

__all__ = ["Receive", "Send", "WebSocketGuard"]

_PACKET: Final = re.compile(r"4[0-6]|[0-35-6].{0,15}\Z")
"""What Engine.IO reads without choking: a message with a packet of Socket.IO, or one of its own short packets."""
_PROTOCOL_ERROR: Final = 1002
_TOO_BIG: Final = 1009

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class WebSocketGuard:
    """Stands between the server and the library.

    Args:
        settings: Limits.
        receive: Of the server.
        send: Of the server.
        on_refused: Called with what is wrong with a frame.
        on_stalled: Called with the session of a client that takes nothing.

    Attributes:
        link: The session, once there is one.
    """

    def __init__(
        self,
        settings: SocketSettings,
        receive: Receive,
        send: Send,
        on_refused: Callable[[BedplateError], None],
        on_stalled: Callable[["EngineLink"], None],
    ) -> None:
        self.link: EngineLink | None = None
        self._settings = settings
        self._receive = receive
        self._send = send
        self._on_refused = on_refused
        self._on_stalled = on_stalled
        self._stalled = False

    async def receive(self) -> dict[str, Any]:
        """The next message, if it can be a packet; otherwise the end, with a code (RFC 6455, section 7.4)."""
        message = await self._receive()
        text = message.get("text") if message["type"] == "websocket.receive" else None
        if text is None:
            return message
        if len(text) > self._settings.max_event_bytes:
            return await self._close(_TOO_BIG, EventTooLargeError(self._settings.max_event_bytes))
        if not _PACKET.match(text):
            return await self._close(_PROTOCOL_ERROR, MalformedPacketError())
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Send, within ``send_timeout``.

        Raises:
            OSError: The client takes nothing.
        """
        if not self._stalled:
            try:
                async with asyncio.timeout(self._settings.send_timeout):
                    await self._send(message)
                return
            except TimeoutError:
                self._stalled = True
                if self.link is not None:
                    self._on_stalled(self.link)
        raise OSError("the client reads nothing")

    async def _close(self, code: int, error: BedplateError) -> dict[str, Any]:
        self._on_refused(error)
        await self.send({"type": "websocket.close", "code": code, "reason": error.code})
        return {"type": "websocket.disconnect", "code": code}
