"""The broker of one process: the latest events of each room in memory."""

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.backend import Backlog, Broker, Position
from bedplate.services.socket.encoding import room_event_text
from bedplate.services.socket.models import Frame, Room

__all__ = ["MemoryBroker"]

_OVERHEAD = 128
"""Bytes that a kept event costs beside its text, about."""
_ROOM_OVERHEAD = 1_024
"""Bytes that a room costs beside its events, about."""


class _Channel:
    """The events of one room."""

    __slots__ = ("bytes", "epoch", "frames", "left_at", "offset")

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self.offset = 0
        self.frames: deque[Frame] = deque()
        self.bytes = 0
        self.left_at: float | None = None

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)


class MemoryBroker(Broker):
    """Rooms of this process.

    Args:
        settings: How many events are kept, and how long.
        clock: Seconds, for how long.
    """

    def __init__(self, settings: SocketSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._settings = settings
        self._channels: dict[Room, _Channel] = {}
        self._idle: OrderedDict[Room, _Channel] = OrderedDict()
        self._bytes = 0

    @classmethod
    def from_settings(cls, settings: SettingsService) -> "MemoryBroker":
        """The broker that the settings ask for."""
        return cls(settings.values.socket)

    async def stop(self) -> None:
        """Forget every event."""
        self._channels.clear()
        self._idle.clear()
        self._bytes = 0

    def wanted(self, room: Room) -> bool:
        """Whether anybody is in the room, or was lately."""
        return room in self._channels

    def publish(self, room: Room, event: str, fields: str) -> None:
        """Number the event, keep it and deliver it."""
        channel = self._channels.get(room)
        if channel is None:
            return
        offset = channel.offset + 1
        text = room_event_text(event, room.address, f"{channel.epoch}-{offset}", fields)
        frame = Frame(offset, text)
        channel.offset = offset
        channel.frames.append(frame)
        self._count(channel, len(text) + _OVERHEAD)
        self._trim(channel)
        if channel.left_at is None:
            self._deliver(room, frame)

    async def enter(self, room: Room) -> Position:
        """Keep the events of a room."""
        self._forget_old()
        channel = self._channels.get(room)
        if channel is None:
            channel = self._channels[room] = _Channel()
            self._bytes += _ROOM_OVERHEAD
        if channel.left_at is not None:
            channel.left_at = None
            del self._idle[room]
        return channel.position

    def leave(self, room: Room) -> None:
        """Keep the events of a room for ``history_ttl`` only."""
        channel = self._channels.get(room)
        if channel is not None and channel.left_at is None:
            channel.left_at = self._clock()
            self._idle[room] = channel
        self._forget_old()
        self._make_room()

    async def since(self, room: Room, position: Position) -> Backlog:
        """What is kept of what came after a place."""
        channel = self._channels[room]
        missing = channel.offset - position.offset
        if position.epoch != channel.epoch or not 0 <= missing <= len(channel.frames):
            return Backlog(frames=(), complete=False, position=channel.position)
        start = len(channel.frames) - missing
        frames = tuple(frame for index, frame in enumerate(channel.frames) if index >= start)
        return Backlog(frames=frames, complete=True, position=channel.position)

    def _count(self, channel: _Channel, size: int) -> None:
        channel.bytes += size
        self._bytes += size

    def _trim(self, channel: _Channel) -> None:
        settings = self._settings
        while len(channel.frames) > settings.history_events or channel.bytes > settings.history_bytes:
            self._drop(channel)
        self._make_room()
        while self._bytes > settings.history_total_bytes and channel.frames:
            self._drop(channel)

    def _make_room(self) -> None:
        while self._bytes > self._settings.history_total_bytes and self._idle:
            self._forget(next(iter(self._idle)))

    def _drop(self, channel: _Channel) -> None:
        self._count(channel, -(len(channel.frames.popleft().text) + _OVERHEAD))

    def _forget_old(self) -> None:
        latest = self._clock() - self._settings.history_ttl
        while self._idle:
            room, channel = next(iter(self._idle.items()))
            if channel.left_at is not None and channel.left_at > latest:
                return
            self._forget(room)

    def _forget(self, room: Room) -> None:
        channel = self._idle.pop(room)
        del self._channels[room]
        self._bytes -= channel.bytes + _ROOM_OVERHEAD
