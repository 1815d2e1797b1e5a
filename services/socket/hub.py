"""Who is in which room, and how events come to them."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Final

from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.backend import Broker, Position
from bedplate.services.socket.connection import Connection, Membership
from bedplate.services.socket.encoding import event_text
from bedplate.services.socket.errors import TooManyRoomsError
from bedplate.services.socket.following import read_log
from bedplate.services.socket.models import Frame, Joined, Presence, Room, RoomKind
from bedplate.services.telemetry import TelemetryService

__all__ = ["Hub"]

_log = get_logger("bedplate.socket")

_PATIENCE: Final = 1.0
"""Seconds after which what a client missed is asked for again."""


class Hub:
    """The rooms of this process.

    A client that does not read is behind in its rooms, and is told what it missed when it reads again; what is no
    longer kept by then it has to read anew, and is told so.

    Args:
        settings: Limits and the policy for slow clients.
        broker: Numbers events and keeps the latest.
        telemetry: For the metrics.
        on_slow: Called with a client that is to be disconnected because it reads too slowly.
    """

    def __init__(
        self,
        settings: SocketSettings,
        broker: Broker,
        telemetry: TelemetryService,
        on_slow: Callable[[Connection], None],
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._on_slow = on_slow
        self._members: dict[Room, dict[Connection, Membership]] = {}
        self._connections: dict[str, Connection] = {}
        self._users: Counter[uuid.UUID] = Counter()
        meter = telemetry.meter
        self._sent = meter.counter("bedplate_socket_events_sent", "Events of rooms handed to clients")
        self._deferred = meter.counter(
            "bedplate_socket_events_deferred", "Events that a client was not given at once because it reads too slowly"
        )
        self._resyncs = meter.counter(
            "bedplate_socket_resyncs", "Clients that missed events of a room and were told to read anew"
        )
        broker.attach(self._deliver, self._missed)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._connections.values()))

    def __len__(self) -> int:
        return len(self._connections)

    def get(self, sid: str) -> Connection | None:
        """The connection with this id."""
        return self._connections.get(sid)

    def of_user(self, user_id: uuid.UUID) -> int:
        """How many connections a user has."""
        return self._users[user_id]

    def add(self, connection: Connection) -> None:
        """Take a connection in."""
        self._connections[connection.id] = connection
        self._users[connection.user_id] += 1

    def remove(self, connection: Connection) -> None:
        """Let a connection go, out of every room."""
        if self._connections.pop(connection.id, None) is None:
            return
        self._broker.dismiss(connection.user_id, connection.id)
        self._users[connection.user_id] -= 1
        if not self._users[connection.user_id]:
            del self._users[connection.user_id]
        for room in list(connection.rooms):
            self.leave(connection, room)

    def presence(self) -> Presence:
        """Who is there."""
        rooms = Counter(room.kind for room in self._members)
        return Presence(
            connections=len(self._connections),
            users=len(self._users),
            rooms={kind: rooms[kind] for kind in RoomKind},
        )

    def members(self, room: Room) -> int:
        """How many connections are in a room."""
        return len(self._members.get(room, ()))

    async def join(self, connection: Connection, room: Room, after: str | None) -> Joined:
        """Enter a room whose events are published; the first of them comes when the caller has answered.

        Args:
            connection: Who enters.
            room: The room; whether it may be entered is the caller's to know.
            after: The last event that the client has got; None: only those to come.

        Raises:
            TooManyRoomsError: The connection is in as many rooms as it may be.
        """
        self.require_place(connection, room)
        membership = Membership(room)
        membership.lagging = True
        self._seat(connection, membership)
        try:
            joined = await self._locate(membership, after)
        except BaseException:
            self._unseat(connection, membership)
            raise
        asyncio.get_running_loop().call_soon(self.catch_up, connection)
        return joined

    def follow(
        self, connection: Connection, room: Room, event: str, entries: AsyncGenerator[tuple[str, str], None]
    ) -> None:
        """Enter a room whose log is read, until its end: whoever reads slowly gets it slowly, and misses nothing.

        Args:
            connection: Who enters.
            room: The room; whether it may be entered is the caller's to know.
            event: The name that its events have.
            entries: Of each the id, and what is told, as a JSON object.

        Raises:
            TooManyRoomsError: The connection is in as many rooms as it may be.
        """
        self.require_place(connection, room)
        membership = Membership(room)
        self._seat(connection, membership)
        membership.reader = connection.spawn(
            self._read(connection, membership, event, entries), "bedplate-socket-reader"
        )

    def leave(self, connection: Connection, room: Room) -> bool:
        """Leave a room; returns whether the connection was in it."""
        membership = connection.rooms.pop(room, None)
        if membership is None:
            return False
        if membership.reader is not None:
            membership.reader.cancel()
        members = self._members.get(room, {})
        members.pop(connection, None)
        if not members:
            self._members.pop(room, None)
            self._empty(room)
        return True

    def catch_up(self, connection: Connection) -> None:
        """Give a client what it has not been given of its rooms, as far as there is room for it."""
        if connection.behind and not connection.closed and not connection.catching_up:
            connection.catching_up = True
            connection.spawn(self._catch_up(connection), "bedplate-socket-catch-up")

    async def _locate(self, membership: Membership, after: str | None) -> Joined:
        """Find out where a client goes on in a room."""
        position = await self._broker.enter(membership.room)
        resync = False
        if after is not None:
            asked = Position.parse(after)
            resync = asked is None or not (await self._broker.since(membership.room, asked)).complete
            position = position if asked is None or resync else asked
        membership.position = position
        membership.seen = max(membership.seen, position.offset)
        return Joined(last_event_id=position.event_id, resync=resync)

    def _unseat(self, connection: Connection, membership: Membership) -> None:
        if connection.rooms.get(membership.room) is membership:
            self.leave(connection, membership.room)

    def require_place(self, connection: Connection, room: Room | None = None) -> None:
        """Raise if the connection may not enter a further room, or this one.

        Raises:
            TooManyRoomsError: It is in as many rooms as it may be.
        """
        if room not in connection.rooms and len(connection.rooms) >= self._settings.max_rooms:
            raise TooManyRoomsError(self._settings.max_rooms)

    def _seat(self, connection: Connection, membership: Membership) -> None:
        former = connection.rooms.get(membership.room)
        if former is not None and former.reader is not None:
            former.reader.cancel()
        connection.rooms[membership.room] = membership
        connection.behind |= membership.lagging
        self._members.setdefault(membership.room, {})[connection] = membership

    def _empty(self, room: Room) -> None:
        if room not in self._members and room.kind is not RoomKind.JOB:
            self._broker.leave(room)

    def _missed(self, room: Room) -> None:
        """Events of a room may have been missed: whoever is in it is given what is kept of them, or told of a gap."""
        for connection, membership in list(self._members.get(room, {}).items()):
            if membership.position is not None:
                membership.lagging = membership.gap = connection.behind = True
                membership.seen = 0
                self.catch_up(connection)

    def _deliver(self, room: Room, frame: Frame) -> None:
        members = self._members.get(room)
        if members is None:
            return
        for connection, membership in list(members.items()):
            membership.seen = frame.id
            if membership.lagging or membership.position is None or frame.id <= membership.position.offset:
                continue
            if connection.link.offer(frame.text):
                membership.position = Position(membership.position.epoch, frame.id)
                self._sent.add()
                continue
            self._deferred.add()
            if self._settings.slow_consumer == "disconnect":
                self._on_slow(connection)
            else:
                membership.lagging = connection.behind = True

    async def _catch_up(self, connection: Connection) -> None:
        try:
            for membership in list(connection.rooms.values()):
                while membership.lagging and membership.position is not None:
                    if not await self._advance(connection, membership):
                        return
            connection.behind = any(membership.lagging for membership in connection.rooms.values())
        except BedplateError as error:
            _log.debug("a client could not be given what it missed; trying again", error=error.code)
            asyncio.get_running_loop().call_later(_PATIENCE, self.catch_up, connection)
        finally:
            connection.catching_up = False

    async def _advance(self, connection: Connection, membership: Membership) -> bool:
        """Give a client the next events of one room; returns whether there is room for more."""
        assert membership.position is not None  # noqa: S101 - its caller has looked
        membership.gap = False
        backlog = await self._broker.since(membership.room, membership.position)
        if connection.rooms.get(membership.room) is not membership:
            membership.lagging = False
            return True
        if not backlog.complete:
            self._resyncs.add()
            data = {"room": membership.room.address, "last_event_id": backlog.position.event_id}
            connection.link.send(event_text("resync", data))
            membership.position = backlog.position
        for frame in backlog.frames:
            if not connection.link.offer(frame.text):
                return False
            membership.position = Position(membership.position.epoch, frame.id)
            self._sent.add()
        membership.lagging = membership.gap or membership.position.offset < membership.seen
        return True

    async def _read(
        self,
        connection: Connection,
        membership: Membership,
        event: str,
        entries: AsyncGenerator[tuple[str, str], None],
    ) -> None:
        await read_log(connection, membership.room, event, entries, self._sent.add)
        membership.reader = None
        self._unseat(connection, membership)
