"""python-socketio behind a gate: every packet of a client is counted and checked before anything is done for it.

Imported when the first client comes, in a thread: a process that serves none pays nothing for it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import engineio
import socketio
from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from engineio.payload import Payload
from socketio.exceptions import ConnectionRefusedError as RefusedError

from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.encoding import ack_text, event_text
from bedplate.services.socket.errors import (
    EventTooLargeError,
    MalformedPacketError,
    SlowConsumerError,
    TooManyEventsError,
    error_body,
)
from bedplate.services.socket.limits import TokenBucket
from bedplate.services.socket.models import Handshake
from bedplate.services.socket.outbox import Outbox

__all__ = ["EngineLink", "Gate", "Transport"]

_log = get_logger("bedplate.socket")

_FAREWELL: Final = 2.0
"""Seconds that last packets may take to reach a client."""
_REFUSALS_IN: Final = 10.0
"""Seconds in which ``max_refused`` events may be refused."""
_DISCONNECT: Final = "1"
_ASKS_FOR_ACK: Final = re.compile(r"2(\d{1,10})?[\[\"]")
_PACKET: Final = re.compile(r"4[0-6]|[0-35-6].{0,15}\Z")
"""What Engine.IO reads without choking: a message with a packet of Socket.IO, or one of its own short packets."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Gate(Protocol):
    """Who decides on clients and their events."""

    async def connect(self, sid: str, link: "EngineLink", handshake: Handshake) -> None:
        """Let a client in, or raise why not."""

    def event(self, sid: str, ack_id: int | None, name: str, args: list[Any]) -> None:
        """An event of a client that is in."""

    def refused(self, error: BedplateError) -> None:
        """An event was refused before it was looked at."""

    def overrun(self, sid: str, error: BedplateError) -> None:
        """A client has to go because of what it sends, or does not read."""

    def drained(self, sid: str) -> None:
        """A client has read so much that half of its outbox is free."""

    def gone(self, sid: str, reason: str) -> None:
        """A client that was in has gone."""


class EngineLink:
    """One Engine.IO session: the way to a client, whoever it is.

    Args:
        settings: Limits.
        engine: The Engine.IO server.
        eio_sid: The session.

    Attributes:
        sid: The Socket.IO session, once the client is in.
        ending: The task that sends last packets, once they are on their way.
    """

    def __init__(self, settings: SocketSettings, engine: "_Engine", eio_sid: str) -> None:
        self.sid: str | None = None
        self.eio_sid = eio_sid
        self.timer: asyncio.TimerHandle | None = None
        self._engine = engine
        self._socket = engine.sockets[eio_sid]
        self.outbox: Outbox = self._socket.queue
        self._events = TokenBucket(settings.events_per_second, settings.events_burst)
        self._bytes = TokenBucket(settings.bytes_per_second, settings.bytes_burst)
        self._refusals = TokenBucket(settings.max_refused / _REFUSALS_IN, settings.max_refused)
        self.ending: asyncio.Task[None] | None = None

    def send(self, text: str) -> None:
        """Send a packet."""
        if self.ending is None:
            self.outbox.put_nowait(EnginePacket(MESSAGE, text))

    def offer(self, text: str) -> bool:
        """Send a packet if there is room for it."""
        return self.ending is not None or self.outbox.offer(EnginePacket(MESSAGE, text))

    async def drained(self) -> None:
        """Return when there is room again."""
        await self.outbox.drained()

    def excess(self, size: int) -> TooManyEventsError | None:
        """Count an event; returns why it is too much, if it is."""
        wait = self._events.take()
        if wait:
            return TooManyEventsError("too many events in a second", "EVENTS_PER_SECOND", wait)
        wait = self._bytes.take(size)
        if wait:
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
        for text in farewell if again else (*farewell, _DISCONNECT):
            self.outbox.put_nowait(EnginePacket(MESSAGE, text))
        self.ending = asyncio.get_running_loop().create_task(self._finish(), name="bedplate-socket-farewell")

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(_FAREWELL):
                await self.outbox.emptied()
        except TimeoutError:
            pass
        await self.abort()

    async def abort(self) -> None:
        """End the session at once."""
        await self._socket.close(wait=False, abort=True, reason=self._engine.reason.SERVER_DISCONNECT)


class _QuietLogger:
    """What the two libraries write, for whoever looks for it: clients cause all of it."""

    def __init__(self, on_exception: Callable[[], None]) -> None:
        self._on_exception = on_exception

    def info(self, *_args: object) -> None:
        """Every packet, and more than once."""

    def warning(self, message: str, *_args: object) -> None:
        """Something that a client did."""
        _log.debug("socket transport", message=message)

    error = warning

    def exception(self, message: str, *_args: object) -> None:
        """Something that a client sent and that could not be read."""
        self._on_exception()
        _log.debug("socket transport failed", message=message, exc_info=True)


class _Engine(engineio.AsyncServer):  # type: ignore[misc]  # it has no types
    """Engine.IO with bounded queues."""

    outboxes: Callable[[], Outbox]

    def create_queue(self, *args: Any, **kwargs: Any) -> Outbox:
        """The queue of packets for one client."""
        return self.outboxes()


class _Server(socketio.AsyncServer):  # type: ignore[misc]  # it has no types
    """Socket.IO whose packets pass the gate first."""

    transport: "Transport"

    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self.transport.opened(eio_sid, environ)

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        link = self.transport.links.get(eio_sid)
        if link is None or link.ending is not None or not self.transport.admit(link, data):
            return
        try:
            await super()._handle_eio_message(eio_sid, data)
        except Exception:
            self.transport.refuse(link, MalformedPacketError(), None)

    async def _handle_event(self, eio_sid: str, _namespace: str | None, ack_id: int | None, data: Any) -> None:
        # The one of the library starts tasks without end, and lets clients call the handlers of connect and disconnect.
        link = self.transport.links[eio_sid]
        if link.sid is None or not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise MalformedPacketError
        self.transport.gate.event(link.sid, ack_id, data[0], data[1:])

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self.transport.ended(eio_sid, reason)


class Transport:
    """The Socket.IO server, as an ASGI application.

    Args:
        settings: Limits.
        gate: Decides on clients and their events.

    Attributes:
        gate: As given.
        links: The sessions that are open, by Engine.IO id, whether their client is known or not.
    """

    def __init__(self, settings: SocketSettings, gate: Gate) -> None:
        self.gate = gate
        self.links: dict[str, EngineLink] = {}
        self._settings = settings
        # The library drops longer bodies of polling clients without a word; what is in them is counted here.
        Payload.max_decode_packets = max(Payload.max_decode_packets, settings.events_burst + 16)
        logger = _QuietLogger(lambda: gate.refused(MalformedPacketError()))
        self._server = _Server(
            async_mode="asgi",
            cors_allowed_origins=[],  # both are looked after outside
            logger=logger,
            engineio_logger=logger,
            ping_interval=settings.ping_interval,
            ping_timeout=settings.ping_timeout,
            max_http_buffer_size=settings.max_event_bytes,
            transports=list(settings.transports),
        )
        self._server.transport = self
        self._server.eio.outboxes = lambda: Outbox(settings.outbox_events, settings.outbox_bytes)
        self._server.on("connect", self._connect)
        self._server.on("disconnect", self._disconnect)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            guard = _Guard(self, receive, send)
            scope["bedplate.guard"] = guard
            receive, send = guard.receive, guard.send
        await self._server.handle_request(scope, receive, send)

    async def farewells(self) -> None:
        """Return when every client that was sent away has been told, or has had time enough."""
        endings = [link.ending for link in self.links.values() if link.ending is not None]
        if endings:
            await asyncio.wait(endings)

    async def stop(self) -> None:
        """End every session, and the library's own tasks."""
        for link in list(self.links.values()):
            await link.abort()
        await self._server.shutdown()

    def opened(self, eio_sid: str, environ: Mapping[str, Any]) -> None:
        """A session has been opened; its client must say who it is in time."""
        link = self.links[eio_sid] = EngineLink(self._settings, self._server.eio, eio_sid)
        loop = asyncio.get_running_loop()
        link.timer = loop.call_later(self._settings.connect_timeout, self._too_late, link)
        link.outbox.on_overflow = lambda: self.give_up(link)
        link.outbox.on_drained = lambda: None if link.sid is None else self.gate.drained(link.sid)
        guard = environ["asgi.scope"].get("bedplate.guard")
        if guard is not None:
            guard.link = link

    def admit(self, link: EngineLink, data: Any) -> bool:
        """Whether a packet may be looked at."""
        if not isinstance(data, str) or data[:1] in ("5", "6"):
            self.refuse(link, MalformedPacketError("events have no binary attachments here"), None)
            return False
        error = link.excess(len(data))
        if error is not None:
            self.refuse(link, error, data)
        return error is None

    def refuse(self, link: EngineLink, error: BedplateError, data: str | None) -> None:
        """Tell a client that an event was refused: by the answer that it asked for, or by an event."""
        self.gate.refused(error)
        if link.refusal():
            self.overrun(link, error)
            return
        asked = None if data is None else _ASKS_FOR_ACK.match(data)
        if asked is not None and asked[1]:
            link.send(ack_text(int(asked[1]), {"ok": False, "error": error_body(error)}))
        elif link.sid is not None:
            link.send(event_text("error", error_body(error)))

    def overrun(self, link: EngineLink, error: BedplateError) -> None:
        """End a session because of what its client does."""
        if link.sid is not None:
            self.gate.overrun(link.sid, error)
        else:
            link.finish(discard=True)

    def give_up(self, link: EngineLink) -> None:
        """End a session whose client does not read."""
        self.overrun(link, SlowConsumerError())

    def ended(self, eio_sid: str, _reason: str) -> None:
        """A session has ended."""
        link = self.links.pop(eio_sid, None)
        if link is None:
            return
        if link.timer is not None:
            link.timer.cancel()
        link.outbox.put_nowait(None)  # a poll that waits would go on waiting

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        eio_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        link = self.links[eio_sid]
        try:
            if auth is not None and not isinstance(auth, dict):
                raise MalformedPacketError("the auth payload is not an object")
            await self.gate.connect(sid, link, _handshake(environ["asgi.scope"], auth or {}))
        except Exception as error:
            if not isinstance(error, BedplateError):
                _log.error("a connection failed", exc_info=error)
            else:
                self.gate.refused(error)
            body = error_body(error)
            raise RefusedError(body["message"], body) from None
        if eio_sid not in self.links:  # it went away meanwhile, and the library would keep it for good
            self.gate.gone(sid, "transport close")
            raise RefusedError
        link.sid = sid
        if link.timer is not None:
            link.timer.cancel()
        # The library keeps it for as long as the client is there, with every header in it.
        self._server.environ[eio_sid] = {}

    async def _disconnect(self, sid: str, reason: str) -> None:
        self.gate.gone(sid, reason)

    def _too_late(self, link: EngineLink) -> None:
        if link.sid is None:
            link.finish()


class _Guard:
    """Watches one WebSocket: frames that the library chokes on, and a client that takes nothing.

    Attributes:
        link: The session, once there is one.
    """

    def __init__(self, transport: Transport, receive: Receive, send: Send) -> None:
        self.link: EngineLink | None = None
        self._transport = transport
        self._settings = transport._settings  # noqa: SLF001 - of the same module
        self._receive = receive
        self._send = send
        self._stalled = False

    async def receive(self) -> dict[str, Any]:
        """The next message, if it can be a packet; otherwise the end."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        text = message.get("text")
        limit = self._settings.max_event_bytes
        if text is not None and len(text) > limit:
            return await self._close(1009, EventTooLargeError(limit))
        if text is not None and not _PACKET.match(text):
            return await self._close(1002, MalformedPacketError())
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Send, within ``send_timeout``."""
        if self._stalled:
            raise OSError("the client reads nothing")
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                await self._send(message)
        except TimeoutError:
            self._stalled = True
            if self.link is not None:
                self._transport.give_up(self.link)
            raise OSError("the client reads nothing") from None

    async def _close(self, code: int, error: BedplateError) -> dict[str, Any]:
        self._transport.gate.refused(error)
        await self.send({"type": "websocket.close", "code": code, "reason": error.code})
        return {"type": "websocket.disconnect", "code": code}


def _handshake(scope: Mapping[str, Any], auth: Mapping[str, Any]) -> Handshake:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    client = scope.get("client")
    return Handshake(headers=headers, auth=auth, address=client[0] if client else None)
