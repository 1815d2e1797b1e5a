"""The port to what carries the events of rooms, in one process or between many."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec

from bedplate.services.socket.models import Frame, Room

__all__ = ["Backlog", "Broker", "Deliver", "Gap", "Position", "Signalled"]

Deliver = Callable[[Room, Frame], None]
"""Called with every event of a room that somebody here is in, in the order of their ids."""

Gap = Callable[[Room], None]
"""Called when events of a room may have been missed here, or have been lost: whoever is in it is to catch up."""

Signalled = Callable[[uuid.UUID | None], None]
"""Called with a user whose credentials are to be looked at again; None: anybody's, because signals were missed."""


class Position(msgspec.Struct, frozen=True):
    """A place in the events of a room.

    Attributes:
        epoch: Which count of events it belongs to; a new one begins when the old one is forgotten.
        offset: How many events of it have been.
    """

    epoch: str
    offset: int

    @property
    def event_id(self) -> str:
        """How clients name it: the id of the last event before it."""
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def parse(cls, event_id: str) -> "Position | None":
        """The place that a client names; None if it is none."""
        epoch, dash, offset = event_id.partition("-")
        if not dash or not offset.isascii() or not offset.isdigit() or len(offset) > 18:
            return None
        return cls(epoch, int(offset))


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What a room has had since a place.

    Attributes:
        frames: The events, oldest first.
        complete: Whether they are all; False where some are no longer kept, or the place is unknown.
        position: The place after the last of them.
    """

    frames: tuple[Frame, ...]
    complete: bool
    position: Position


class Broker(ABC):
    """Numbers the events of rooms, keeps the latest of each for a while, and delivers them.

    An event is a hint: what must not be missed stands in a log of its own. Events of a room that nobody has been in
    lately are not kept.
    """

    def __init__(self) -> None:
        self._deliver: Deliver = _nobody
        self._gap: Gap = _nothing
        self._signalled: Signalled = _nothing

    def attach(self, deliver: Deliver, gap: Gap | None = None) -> None:
        """Deliver to the first function from now on, and tell the second of gaps."""
        self._deliver = deliver
        self._gap = gap or _nothing

    def attend(self, signalled: Signalled) -> None:
        """Tell this function of signals from now on."""
        self._signalled = signalled

    async def start(self) -> None:  # noqa: B027 - most have nothing to open
        """Open what is needed."""

    async def stop(self) -> None:  # noqa: B027 - the same
        """Close it, and forget every event."""

    @property
    def lost(self) -> int:
        """How many events of this process were lost, not counting those that nobody was there for."""
        return 0

    async def check(self) -> str | None:
        """Why events get through late or not at all, if they do."""
        return None

    def signal(self, user_id: uuid.UUID) -> None:
        """Have every replica, this one too, look at the credentials of a user again; a hint, which may be lost."""
        self._signalled(user_id)

    async def admit(self, user_id: uuid.UUID, connection_id: str, limit: int) -> bool:
        """Count a connection of a user; returns whether there are no more than ``limit`` over all replicas.

        Raises:
            UnavailableError: What counts them cannot be reached.
        """
        return True

    def dismiss(self, user_id: uuid.UUID, connection_id: str) -> None:  # noqa: B027 - the same
        """Count it no more."""

    async def connections_of(self, user_id: uuid.UUID) -> int | None:
        """How many connections a user has over all replicas; None: as many as in this process.

        Raises:
            UnavailableError: What counts them cannot be reached.
        """
        return None

    def wanted(self, room: Room) -> bool:
        """Whether anybody may want to know of events of the room; if not, they need not even be encoded."""
        return True

    @abstractmethod
    def publish(self, room: Room, event: str, fields: str) -> None:
        """Tell the room of an event; returns at once, and loses the event rather than fail.

        Args:
            room: The room.
            event: The name of the event.
            fields: What is told, as a JSON object.
        """

    @abstractmethod
    async def enter(self, room: Room) -> Position:
        """Somebody here is in the room from now on: keep its events. Returns where they stand.

        Raises:
            UnavailableError: What keeps them cannot be reached.
        """

    @abstractmethod
    def leave(self, room: Room) -> None:
        """Nobody here is in the room any more."""

    @abstractmethod
    async def since(self, room: Room, position: Position) -> Backlog:
        """What a room that somebody is in has had since a place.

        Raises:
            UnavailableError: What keeps its events cannot be reached.
        """


def _nobody(_room: Room, _frame: Frame) -> None:
    """Nobody listens yet."""


def _nothing(_what: object) -> None:
    """The same."""
