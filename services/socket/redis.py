"""The broker of several replicas: the latest events of each room in Redis, told to every replica that is in it."""

import uuid
from collections.abc import Callable
from typing import Final, Self

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_feeds import RedisFeeds
from bedplate.services.engines.redis_feeds_store import FeedLimits, FeedPlace
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.backend import Backlog, Broker, Position
from bedplate.services.socket.encoding import room_event_text
from bedplate.services.socket.models import Frame, Room
from bedplate.services.socket.redis_seats import RedisSeats

__all__ = ["RedisBroker"]

_SIGNALS: Final = "signals"
"""The feed that every replica watches."""


class RedisBroker(Broker):
    """Rooms of all replicas.

    Args:
        settings: How many events are kept, and how long.
        engine: The clients of Redis.
        clock: Seconds, for how long; None: those of the server.
    """

    def __init__(
        self, settings: SocketSettings, engine: RedisEngine, *, clock: Callable[[], float] | None = None
    ) -> None:
        super().__init__()
        limits = FeedLimits(
            ttl=settings.history_ttl,
            events=settings.history_events,
            bytes=settings.history_bytes,
            total_bytes=settings.history_total_bytes,
        )
        self._seats = RedisSeats(engine)
        self._feeds = RedisFeeds(engine, ServiceType.SOCKET, limits, self._heard, self._missed, clock=clock)
        self._rooms: dict[str, Room] = {}

    @classmethod
    def from_settings(cls, settings: SettingsService, *, redis: RedisEngine) -> Self:
        """The broker that the settings ask for."""
        return cls(settings.values.socket, redis)

    async def start(self) -> None:
        """Begin to listen and to send.

        Raises:
            RedisUnavailableError: The server does not answer.
            RedisSettingError: It refuses.
        """
        await self._feeds.start()
        self._seats.start()
        await self._feeds.watch(_SIGNALS)

    async def stop(self) -> None:
        """Send what waits, within two seconds; what is kept stays for the other replicas."""
        try:
            await self._seats.stop()
        finally:
            try:
                await self._feeds.stop()
            finally:
                self._rooms.clear()

    @property
    def lost(self) -> int:
        """How many events could not wait any longer for Redis to be back."""
        return self._feeds.lost

    async def check(self) -> str | None:
        """Why events do not get through, if they do not."""
        return None if self._feeds.connected else "the connection to Redis is lost: events wait, or are lost"

    def signal(self, user_id: uuid.UUID) -> None:
        """Have every replica look at the credentials of a user again."""
        self._feeds.publish(_SIGNALS, str(user_id).encode())

    async def admit(self, user_id: uuid.UUID, connection_id: str, limit: int) -> bool:
        """Count a connection of a user over all replicas; while Redis is away, whoever is within the local limit is."""
        try:
            return await self._seats.take(user_id, connection_id, limit)
        except UnavailableError:
            return True

    def dismiss(self, user_id: uuid.UUID, connection_id: str) -> None:
        """Count it no more."""
        self._seats.give_back(user_id, connection_id)

    async def connections_of(self, user_id: uuid.UUID) -> int:
        """How many connections a user has over all replicas."""
        return await self._seats.count(user_id)

    def publish(self, room: Room, event: str, fields: str) -> None:
        """Send an event; while Redis is away it waits, as far as there is room."""
        self._feeds.publish(_name(room), f"{event}\0{fields}".encode())

    async def enter(self, room: Room) -> Position:
        """Hear the events of a room from now on."""
        name = _name(room)
        self._rooms[name] = room
        return Position(*await self._feeds.watch(name))

    def leave(self, room: Room) -> None:
        """Hear them no more."""
        name = _name(room)
        if self._rooms.pop(name, None) is not None:
            self._feeds.unwatch(name)

    async def since(self, room: Room, position: Position) -> Backlog:
        """What Redis keeps of what came after a place."""
        backlog = await self._feeds.since(_name(room), FeedPlace(position.epoch, position.offset))
        epoch, last = backlog.place
        numbered = enumerate(backlog.events, last + 1 - len(backlog.events))
        frames = tuple(_frame(room, epoch, number, payload) for number, payload in numbered)
        return Backlog(frames=frames, complete=backlog.complete, position=Position(epoch, last))

    async def settled(self) -> None:
        """Return when everything that was published by now has been delivered.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        await self._feeds.settled()

    def _heard(self, name: str, epoch: str, number: int, payload: bytes) -> None:
        if name == _SIGNALS:
            self._signalled(uuid.UUID(payload.decode()))
            return
        room = self._rooms.get(name)
        if room is not None:
            self._deliver(room, _frame(room, epoch, number, payload))

    def _missed(self, name: str) -> None:
        if name == _SIGNALS:
            self._signalled(None)
            return
        room = self._rooms.get(name)
        if room is not None:
            self._gap(room)


def _name(room: Room) -> str:
    return f"{room.kind}/{room.user_id}/{room.name}"


def _frame(room: Room, epoch: str, number: int, payload: bytes) -> Frame:
    event, _, fields = payload.decode().partition("\0")
    return Frame(number, room_event_text(event, room.address, f"{epoch}-{number}", fields))
