"""The socket service."""

import asyncio
import importlib
import random
import time
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from bedplate.services.auth import AuthService, Credentials, Principal
from bedplate.services.auth.errors import TokenExpiredError
from bedplate.services.base import Service
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.socket.admission import Admission
from bedplate.services.socket.backend import Broker
from bedplate.services.socket.connection import Connection
from bedplate.services.socket.encoding import ack_text, encode, event_text
from bedplate.services.socket.errors import (
    DrainingError,
    OtherUserError,
    RevokedError,
    SlowConsumerError,
    TooManyConnectionsError,
    TooManyEventsError,
    error_body,
)
from bedplate.services.socket.hub import Hub
from bedplate.services.socket.models import Handshake, Joined, Presence, Room, RoomKind
from bedplate.services.telemetry import TelemetryService

if TYPE_CHECKING:
    from bedplate.services.socket.transport import EngineLink, Transport

__all__ = ["Endpoint", "SocketService"]

_log = get_logger("bedplate.socket")


class Endpoint(Protocol):
    """What clients' events mean; the service itself knows rooms and limits only."""

    async def opened(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """A client has come in; ``auth`` is what it sent beside its credentials."""

    async def handle(self, connection: Connection, event: str, args: list[Any]) -> Any:
        """Do what an event asks for; what is returned, an object, is the answer.

        Raises:
            BedplateError: The answer says why not.
        """


class _NoEndpoint:
    """Answers before anything is served."""

    async def opened(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """Nothing to do."""

    async def handle(self, connection: Connection, event: str, args: list[Any]) -> Any:
        """Nothing is known."""
        return {}


class SocketService(Service):
    """Clients over Socket.IO: who they are, which rooms they are in, what they are told.

    :meth:`publish` tells a room, at once and without waiting for anybody; what people may not miss stands in a log or
    a table first. Each client has an outbox of its own, so that none can slow another, or the publisher.

    Args:
        settings: The settings service; its group is ``socket``.
        telemetry: For the metrics.
        auth: Says who a client is, and whether it still may.
        workers: Imports the transport.
        broker: Carries the events of rooms.
    """

    type = ServiceType.SOCKET

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        auth: AuthService,
        workers: Workers,
        broker: Broker,
    ) -> None:
        self._settings = settings.values.socket
        self.backend = self._settings.backend
        self._auth = auth
        self._workers = workers
        self._broker = broker
        self._endpoint: Endpoint = _NoEndpoint()
        self._admission = Admission(settings.values.server, auth)
        self._hub = Hub(self._settings, broker, telemetry, self._slow)
        self._transport: Transport | None = None
        self._watch: asyncio.Task[None] | None = None
        self._draining = False
        meter = telemetry.meter
        self._admitted = meter.counter("bedplate_socket_connections_opened", "Clients that came in")
        self._departed = meter.counter("bedplate_socket_connections_closed", "Clients that went", labels=("reason",))
        self._received = meter.counter("bedplate_socket_events_received", "Events of clients that were let through")
        self._refused = meter.counter(
            "bedplate_socket_refused", "Connections and events that were refused", labels=("code",)
        )
        self._observe(telemetry)

    # For applications

    def publish(self, room: Room, event: str, data: Mapping[str, Any]) -> None:
        """Tell everybody in a room; returns at once, does nothing where nobody listens, and never fails for a client.

        Args:
            room: The room.
            event: The name of the event.
            data: What is told; clients get it with ``room`` and ``event_id`` beside.

        Raises:
            InvalidInputError: The data is not JSON-like.
        """
        if self.wanted(room):
            self._broker.publish(room, event, encode(data))

    def wanted(self, room: Room) -> bool:
        """Whether it may make a difference to tell this room anything."""
        return self._started and self._broker.wanted(room)

    def members(self, room: Room) -> int:
        """How many connections of this process are in a room."""
        return self._hub.members(room)

    def presence(self) -> Presence:
        """Who is connected to this process."""
        return self._hub.presence()

    def disconnect(self, connection: Connection, error: BedplateError, *, again: bool = False) -> None:
        """End a connection, and tell the client why.

        Args:
            connection: Which.
            error: Why.
            again: Whether clients should connect again by themselves.
        """
        if connection.closed:
            return
        self._release(connection, error.code)
        farewell = event_text("closing", error_body(error))
        connection.link.finish(farewell, again=again, discard=isinstance(error, SlowConsumerError | TooManyEventsError))

    async def drain(self) -> None:
        """Take no new clients, and send those that are there elsewhere; they are told when to come back.

        Called before a server stops; :meth:`stop` does it too, if nobody has.
        """
        self._draining = True
        for connection in self._hub:
            wait = self._settings.retry_after * (1 + random.random())  # noqa: S311 - spreads clients, guards nothing
            self.disconnect(connection, DrainingError(wait), again=True)
        if self._transport is not None:
            await self._transport.farewells()

    # For the endpoint

    def attach(self, endpoint: Endpoint) -> None:
        """Have this endpoint answer the events of clients."""
        self._endpoint = endpoint

    async def join(self, connection: Connection, room: Room, after: str | None = None) -> Joined:
        """Enter a room whose events are published; whether the client may is the caller's to know.

        Args:
            connection: Who enters.
            room: The room.
            after: The last event that the client has got; None: only those to come.

        Raises:
            TooManyRoomsError: The connection is in as many rooms as it may be.
        """
        return await self._hub.join(connection, room, after)

    def follow(
        self, connection: Connection, room: Room, event: str, entries: AsyncGenerator[tuple[str, str], None]
    ) -> None:
        """Enter a room whose log is read to the client, until it ends; whether the client may is the caller's to know.

        Args:
            connection: Who enters.
            room: The room.
            event: The name that its events have.
            entries: The log: of each event the id, and what is told, as a JSON object.

        Raises:
            TooManyRoomsError: The connection is in as many rooms as it may be.
        """
        self._hub.follow(connection, room, event, entries)

    def require_place(self, connection: Connection) -> None:
        """Raise if the connection may enter no further room.

        Raises:
            TooManyRoomsError: It is in as many rooms as it may be.
        """
        self._hub.require_place(connection)

    def leave(self, connection: Connection, room: Room) -> bool:
        """Leave a room; returns whether the connection was in it."""
        return self._hub.leave(connection, room)

    async def reauthenticate(self, connection: Connection, credentials: Credentials) -> Principal:
        """Go on with new credentials of the same user.

        Raises:
            AuthenticationError: They are not good.
            OtherUserError: They are another user's.
        """
        principal = await self._auth.verify(credentials)
        if principal.user.id != connection.user_id:
            raise OtherUserError
        connection.principal = principal
        self._set_timer(connection)
        return principal

    async def require_alive(self, connection: Connection) -> None:
        """Raise, and end the connection, if its credentials are good no longer.

        Raises:
            RevokedError: They have been revoked.
        """
        if not await self._auth.alive([connection.principal]):
            error = RevokedError()
            self.disconnect(connection, error)
            raise error

    # For the server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request as an ASGI application.

        Raises:
            OriginNotAllowedError: It comes from a page of another origin; nothing has been answered.
            DrainingError: The server is stopping; nothing has been answered.
            TooManyConnectionsError: There are too many sessions; nothing has been answered.
            UnavailableError: The service is not started; nothing has been answered.
        """
        self._require_started()
        try:
            self._admission.check_origin(scope)
            transport = await self._ready()
            if b"sid=" not in scope["query_string"]:
                self._require_room(transport)
        except BedplateError as error:
            self.refused(error)
            raise
        await transport(scope, receive, send)

    async def connect(self, sid: str, link: "EngineLink", handshake: Handshake) -> None:
        """Let a client in.

        Raises:
            AuthenticationError: It has no credentials, or they are not good.
            OriginNotAllowedError: It has the session cookie, and comes from a page of another origin.
            TooManyConnectionsError: The user has too many, or there are too many in all.
        """
        if self._draining:
            raise DrainingError(self._settings.retry_after)
        principal = await self._admission.authenticate(handshake)
        settings = self._settings
        if len(self._hub) >= settings.max_connections:
            raise TooManyConnectionsError("all", settings.max_connections, "MAX_CONNECTIONS")
        if self._hub.of_user(principal.user.id) >= settings.max_connections_per_user:
            raise TooManyConnectionsError("your", settings.max_connections_per_user, "MAX_CONNECTIONS_PER_USER")
        connection = Connection(sid, principal, link)
        self._hub.add(connection)
        self._admitted.add()
        self._set_timer(connection)
        auth = {name: value for name, value in handshake.auth.items() if name not in ("token", "api_key")}
        connection.spawn(self._open(connection, auth), "bedplate-socket-open")

    def event(self, sid: str, ack_id: int | None, name: str, args: list[Any]) -> None:
        """Begin to work on an event of a client."""
        connection = self._hub.get(sid)
        if connection is None or connection.closed:
            return
        self._received.add()
        if connection.events >= self._settings.max_concurrent_events:
            error = TooManyEventsError("too many events are being worked on", "MAX_CONCURRENT_EVENTS", 0.1)
            self.refused(error)
            self._answer(connection, ack_id, {"ok": False, "error": error_body(error)})
            return
        connection.events += 1
        task = connection.spawn(self._work(connection, ack_id, name, args), "bedplate-socket-event")
        task.add_done_callback(lambda _task: self._worked(connection))

    def refused(self, error: BedplateError) -> None:
        """Count what was refused."""
        self._refused.add(code=error.code)

    def overrun(self, sid: str, error: BedplateError) -> None:
        """End the connection of a client that sends too much or reads nothing."""
        connection = self._hub.get(sid)
        if connection is not None:
            self.disconnect(connection, error)

    def drained(self, sid: str) -> None:
        """Give a client what it has not been given yet."""
        connection = self._hub.get(sid)
        if connection is not None:
            self._hub.catch_up(connection)

    def gone(self, sid: str, reason: str) -> None:
        """Forget a client."""
        connection = self._hub.get(sid)
        if connection is not None:
            self._release(connection, reason)

    async def _start(self) -> None:
        self._draining = False
        await self._broker.start()
        self._watch = asyncio.create_task(self._revalidate(), name="bedplate-socket-revalidation")

    async def _stop(self) -> None:
        try:
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.wait([self._watch])
            await self.drain()
        finally:
            transport, self._transport = self._transport, None
            try:
                if transport is not None:
                    await transport.stop()
            finally:
                await self._broker.stop()

    async def _ready(self) -> "Transport":
        if self._draining:
            raise DrainingError(self._settings.retry_after)
        if self._transport is None:
            module = await self._workers.run("socket", 1, importlib.import_module, "bedplate.services.socket.transport")
            self._require_started()
            if self._transport is None:
                self._transport = module.Transport(self._settings, self)
        return self._transport

    def _require_room(self, transport: "Transport") -> None:
        # Clients that have not said yet who they are come on top of those that have.
        if len(transport.links) - len(self._hub) >= self._settings.max_connections:
            raise TooManyConnectionsError("all", self._settings.max_connections, "MAX_CONNECTIONS")

    async def _open(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        try:
            await self._endpoint.opened(connection, auth)
        except Exception as error:
            self._report("a connection could not be opened", error)
            connection.send("error", error_body(error))

    async def _work(self, connection: Connection, ack_id: int | None, name: str, args: list[Any]) -> None:
        try:
            result = await self._endpoint.handle(connection, name, args)
            answer = {"ok": True, **result}
        except Exception as error:
            self._report("an event failed", error)
            answer = {"ok": False, "error": error_body(error)}
        self._answer(connection, ack_id, answer)

    def _answer(self, connection: Connection, ack_id: int | None, answer: Mapping[str, Any]) -> None:
        if connection.closed:
            return
        if ack_id is not None:
            connection.link.send(ack_text(ack_id, answer))
        elif not answer["ok"]:
            connection.link.send(event_text("error", answer["error"]))

    def _worked(self, connection: Connection) -> None:
        connection.events -= 1

    def _report(self, what: str, error: Exception) -> None:
        if isinstance(error, BedplateError):
            self.refused(error)
            if error_body(error)["message"] == error.what:
                return
        _log.error(what, exc_info=error)

    def _slow(self, connection: Connection) -> None:
        self.disconnect(connection, SlowConsumerError())

    def _release(self, connection: Connection, reason: str) -> None:
        if connection.closed:
            return
        connection.closed = True
        self._departed.add(reason=reason)
        if connection.timer is not None:
            connection.timer.cancel()
        self._hub.remove(connection)
        current = asyncio.current_task()
        for task in list(connection.tasks):
            if task is not current:
                task.cancel()

    def _set_timer(self, connection: Connection) -> None:
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        expires_at = connection.principal.expires_at
        if expires_at is not None:
            left = expires_at.timestamp() - time.time() - self._settings.expiry_warning
            loop = asyncio.get_running_loop()
            connection.timer = loop.call_later(max(0.0, left), self._expiring, connection, expires_at.timestamp())

    def _expiring(self, connection: Connection, expires_at: float) -> None:
        left = expires_at - time.time()
        if left <= 0:
            self.disconnect(connection, TokenExpiredError(fix="connect again with a new token"))
            return
        connection.send("expiring", {"expires_at": connection.principal.expires_at, "seconds": round(left, 3)})
        connection.timer = asyncio.get_running_loop().call_later(
            left, self.disconnect, connection, TokenExpiredError(fix="connect again with a new token")
        )

    async def _revalidate(self) -> None:
        while True:
            await asyncio.sleep(self._settings.revalidate_interval)
            try:
                await self.revalidate()
            except Exception as error:
                _log.warning("connections could not be checked", error=type(error).__name__)

    async def revalidate(self) -> None:
        """End the connections whose credentials have been revoked; done every ``revalidate_interval`` by itself."""
        connections = list(self._hub)
        if not connections:
            return
        alive = await self._auth.alive([connection.principal for connection in connections])
        for connection in connections:
            if connection.principal.credential_id not in alive:
                self.disconnect(connection, RevokedError())

    def _observe(self, telemetry: TelemetryService) -> None:
        meter = telemetry.meter
        meter.observe_gauge(
            "bedplate_socket_connections", "Clients that are connected", lambda: [(self.presence().connections, {})]
        )
        meter.observe_gauge("bedplate_socket_users", "Users that are connected", lambda: [(self.presence().users, {})])
        meter.observe_gauge(
            "bedplate_socket_rooms",
            "Rooms with somebody in them",
            lambda: [(self.presence().rooms[kind], {"kind": kind.value}) for kind in RoomKind],
            labels=("kind",),
        )
