"""python-socketio behind the gate: every packet of a client is counted and checked before anything is done for it.

Imported when the first client comes, in a thread: a process that serves none pays nothing for it.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import engineio
import socketio
from engineio.payload import Payload
from socketio.exceptions import ConnectionRefusedError as RefusedError

from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.encoding import ack_text, event_text
from bedplate.services.socket.errors import MalformedPacketError, SlowConsumerError, error_body
from bedplate.services.socket.gate import Gate
from bedplate.services.socket.guard import Receive, Send, WebSocketGuard
from bedplate.services.socket.link import EngineLink
from bedplate.services.socket.models import Handshake
from bedplate.services.socket.outbox import Outbox

__all__ = ["Transport"]

_log = get_logger("bedplate.socket")

_ASKS_FOR_ACK: Final = re.compile(r"2(\d{1,10})\[")
_BINARY: Final = ("5", "6")
_GUARD: Final = "bedplate.socket.guard"


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
            cors_allowed_origins=[],  # origins, and what browsers are told of them, are looked after outside
            http_compression=False,  # it would be done on the event loop; a proxy does it better
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
            guard = WebSocketGuard(self._settings, receive, send, self.gate.refused, self._give_up)
            scope[_GUARD] = guard
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
        link = EngineLink(self._settings, self._server.eio.sockets[eio_sid], self._give_up, self._drained)
        self.links[eio_sid] = link
        link.timer = asyncio.get_running_loop().call_later(self._settings.connect_timeout, self._too_late, link)
        guard: WebSocketGuard | None = environ["asgi.scope"].get(_GUARD)
        if guard is not None:
            guard.link = link

    def admit(self, link: EngineLink, data: Any) -> bool:
        """Whether a packet may be looked at."""
        if not isinstance(data, str) or data.startswith(_BINARY):
            # The library keeps as many attachments as a client announces.
            self.refuse(link, MalformedPacketError("events have no binary attachments here"))
            return False
        error = link.excess(len(data))
        if error is not None:
            self.refuse(link, error, data)
        return error is None

    def refuse(self, link: EngineLink, error: BedplateError, data: str = "") -> None:
        """Tell a client that an event was refused: by the answer that it asked for, or by an event."""
        self.gate.refused(error)
        if link.refusal():
            self._end(link, error)
        elif asked := _ASKS_FOR_ACK.match(data):
            link.send(ack_text(int(asked[1]), {"ok": False, "error": error_body(error)}))
        elif link.connection is not None:
            link.send(event_text("error", error_body(error)))

    def ended(self, eio_sid: str) -> None:
        """A session has ended."""
        link = self.links.pop(eio_sid, None)
        if link is not None:
            link.closed()

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        eio_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        link = self.links[eio_sid]
        try:
            if auth is not None and not isinstance(auth, dict):
                raise MalformedPacketError("the auth payload is not an object")
            connection = await self.gate.connect(sid, link, _handshake(environ["asgi.scope"], auth or {}))
        except Exception as error:
            if isinstance(error, BedplateError):
                self.gate.refused(error)
            else:
                _log.error("a connection failed", exc_info=error)
            body = error_body(error)
            raise RefusedError(body["message"], body) from None
        if eio_sid not in self.links:  # it went away meanwhile, and the library would keep it for good
            self.gate.release(connection, "transport close")
            raise RefusedError
        link.connection = connection
        if link.timer is not None:
            link.timer.cancel()
        # The library keeps it for as long as the client is there, with every header in it.
        self._server.environ[eio_sid] = {}

    async def _disconnect(self, sid: str, reason: str) -> None:
        link = self.links.get(self._server.manager.eio_sid_from_sid(sid, "/"))
        if link is not None and link.connection is not None:
            self.gate.release(link.connection, reason)

    def _drained(self, link: EngineLink) -> None:
        if link.connection is not None:
            self.gate.catch_up(link.connection)

    def _give_up(self, link: EngineLink) -> None:
        self._end(link, SlowConsumerError())

    def _end(self, link: EngineLink, error: BedplateError) -> None:
        if link.connection is not None:
            self.gate.disconnect(link.connection, error)
        else:
            link.finish(discard=True)

    def _too_late(self, link: EngineLink) -> None:
        if link.connection is None:
            link.finish()


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

    transport: Transport

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
            self.transport.refuse(link, MalformedPacketError())

    async def _handle_event(self, eio_sid: str, _namespace: str | None, ack_id: int | None, data: Any) -> None:
        # That of the library starts tasks without end, and lets clients call the handlers of connect and disconnect.
        link = self.transport.links[eio_sid]
        if link.connection is None or not isinstance(data, list) or not data or not isinstance(data[0], str):
            raise MalformedPacketError
        self.transport.gate.event(link.connection, ack_id, data[0], data[1:])

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self.transport.ended(eio_sid)


def _handshake(scope: Mapping[str, Any], auth: Mapping[str, Any]) -> Handshake:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    client = scope.get("client")
    return Handshake(headers=headers, auth=auth, address=client[0] if client else None)
