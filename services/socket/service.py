"""The socket service."""

import importlib
import random
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from bedplate.services.auth import AuthService, Credentials, Principal
from bedplate.services.base import Service
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import BedplateError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.socket.admission import Admission
from bedplate.services.socket.backend import Broker
from bedplate.services.socket.checks import CHECKS
from bedplate.services.socket.connection import Connection
from bedplate.services.socket.encoding import encode
from bedplate.services.socket.errors import DrainingError, SlowConsumerError
from bedplate.services.socket.gate import Endpoint, Gate
from bedplate.services.socket.hub import Hub
from bedplate.services.socket.lifetimes import Lifetimes
from bedplate.services.socket.models import Joined, Presence, Room
from bedplate.services.telemetry import TelemetryService

if TYPE_CHECKING:
    from bedplate.services.socket.transport import Transport

__all__ = ["SocketService"]


class SocketService(Service):
    """Clients over Socket.IO: who they are, which rooms they are in, what they are told.

    :meth:`publish` tells a room, at once and without waiting for anybody; what people may not miss stands in a log or
    a table first. Each client has an outbox of its own, so that none can slow another, or the publisher.

    The service is an ASGI application; what the events of clients mean is its endpoint's to know.

    Args:
        settings: The settings service; its group is ``socket``.
        telemetry: For the metrics.
        auth: Says who a client is, and whether it still may.
        workers: Imports the transport.
        broker: Carries the events of rooms.
    """

    type = ServiceType.SOCKET
    checks = CHECKS

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
        self._workers = workers
        self._broker = broker
        self._admission = Admission(settings.values.server, auth)
        self._hub = Hub(self._settings, broker, telemetry, self._slow)
        self._door = Gate(self._settings, self._admission, self._hub, broker, telemetry)
        self._lifetimes = Lifetimes(self._settings, auth, self._hub, self._door.disconnect)
        self._door.on_admitted = self._lifetimes.begin
        broker.attend(self._lifetimes.look)
        self._transport: Transport | None = None
        _observe(self._hub, broker, telemetry)

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

    async def connections_of(self, user_id: uuid.UUID) -> int:
        """How many connections a user has, over all replicas.

        Raises:
            UnavailableError: The backend cannot be reached.
        """
        count = await self._broker.connections_of(user_id)
        return self._hub.of_user(user_id) if count is None else count

    def recheck(self, user_id: uuid.UUID) -> None:
        """End those connections of a user, in every replica, whose credentials have been revoked.

        Returns at once. A hint: what it misses is found every ``revalidate_interval``.
        """
        if self._started:
            self._broker.signal(user_id)

    def disconnect(self, connection: Connection, error: BedplateError, *, again: bool = False) -> None:
        """End a connection, and tell the client why.

        Args:
            connection: Which.
            error: Why.
            again: Whether clients should connect again by themselves.
        """
        self._door.disconnect(connection, error, again=again)

    async def drain(self) -> None:
        """Take no new clients, and send those that are there elsewhere; they are told when to come back.

        Called before a server stops; :meth:`stop` does it too, if nobody has.
        """
        self._door.draining = True
        for connection in self._hub:
            wait = self._settings.retry_after * (1 + random.random())  # noqa: S311 - spreads clients, guards nothing
            self.disconnect(connection, DrainingError(wait), again=True)
        if self._transport is not None:
            await self._transport.farewells()

    async def revalidate(self) -> None:
        """End the connections whose credentials have been revoked; done every ``revalidate_interval`` by itself."""
        await self._lifetimes.revalidate()

    # For the endpoint

    def attach(self, endpoint: Endpoint) -> None:
        """Have this endpoint do what the events of clients ask for."""
        self._door.endpoint = endpoint

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

    def require_place(self, connection: Connection, room: Room | None = None) -> None:
        """Raise if the connection may not enter this room, or any further one, because it is in too many.

        Raises:
            TooManyRoomsError: It is in as many rooms as it may be.
        """
        self._hub.require_place(connection, room)

    def leave(self, connection: Connection, room: Room) -> bool:
        """Leave a room; returns whether the connection was in it."""
        return self._hub.leave(connection, room)

    async def reauthenticate(self, connection: Connection, credentials: Credentials) -> Principal:
        """Go on with new credentials of the same user.

        Raises:
            AuthenticationError: They are not good.
            OtherUserError: They are another user's.
        """
        return await self._lifetimes.renew(connection, credentials)

    async def require_alive(self, connection: Connection) -> None:
        """Raise, and end the connection, if its credentials have been revoked.

        Raises:
            RevokedError: They have.
        """
        await self._lifetimes.require(connection)

    # For the server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request as an ASGI application.

        Raises:
            OriginNotAllowedError: It comes from a page of another origin; nothing has been answered.
            PayloadError: It asks for JSONP; nothing has been answered.
            DrainingError: The server is stopping; nothing has been answered.
            TooManyConnectionsError: There are too many sessions; nothing has been answered.
            UnavailableError: The service is not started; nothing has been answered.
        """
        try:
            self._require_started()
            self._admission.check_request(scope)
            transport = await self._ready()
            if b"sid=" not in scope["query_string"]:
                self._door.require_open(len(transport.links) - len(self._hub))
        except BedplateError as error:
            self._door.refused(error)
            raise
        await transport(scope, receive, send)

    async def _start(self) -> None:
        self._door.draining = False
        await self._broker.start()
        self._lifetimes.start()

    async def _check(self) -> str | None:
        return await self._broker.check()

    async def _stop(self) -> None:
        try:
            await self._lifetimes.stop()
            await self.drain()
        finally:
            transport, self._transport = self._transport, None
            try:
                if transport is not None:
                    await transport.stop()
            finally:
                await self._broker.stop()

    async def _ready(self) -> "Transport":
        if self._transport is None:
            name = "bedplate.services.socket.transport"
            module = await self._workers.run("socket", 1, importlib.import_module, name)
            self._require_started()
            if self._transport is None:
                self._transport = module.Transport(self._settings, self._door)
        return self._transport

    def _slow(self, connection: Connection) -> None:
        self.disconnect(connection, SlowConsumerError())


def _observe(hub: Hub, broker: Broker, telemetry: TelemetryService) -> None:
    meter = telemetry.meter
    meter.observe_counter(
        "bedplate_socket_events_lost",
        "Events of rooms that what carries them could not take; whoever is in the room was told of a gap",
        lambda: [(broker.lost, {})],
    )
    meter.observe_gauge(
        "bedplate_socket_connections", "Clients that are connected", lambda: [(hub.presence().connections, {})]
    )
    meter.observe_gauge("bedplate_socket_users", "Users that are connected", lambda: [(hub.presence().users, {})])
    meter.observe_gauge(
        "bedplate_socket_rooms",
        "Rooms with somebody in them",
        lambda: [(count, {"kind": kind.value}) for kind, count in hub.presence().rooms.items()],
        labels=("kind",),
    )
