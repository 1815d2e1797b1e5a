"""One client: who it is, which rooms it is in, and what waits for it."""

import asyncio
import uuid
from typing import Any, Protocol

from bedplate.services.auth import Principal
from bedplate.services.socket.backend import Position
from bedplate.services.socket.encoding import event_text
from bedplate.services.socket.models import Room

__all__ = ["Connection", "Link", "Membership"]


class Link(Protocol):
    """The way to a client."""

    def send(self, text: str) -> None:
        """Send a packet: an answer, or what the client must know."""

    def offer(self, text: str) -> bool:
        """Send a packet if there is room for it; returns whether there was."""
        ...

    async def deliver(self, text: str) -> None:
        """Send a packet as soon as there is room for it."""

    def finish(self, *farewell: str, again: bool = False, discard: bool = False) -> None:
        """Send last packets and end the connection.

        Args:
            farewell: The packets.
            again: Whether clients should connect again by themselves.
            discard: Whether what waits is dropped, because the client does not read it.
        """


class Membership:
    """A connection in a room.

    Attributes:
        room: The room.
        position: Up to where the client has got the events of the room; None in a room whose log is read.
        seen: Number of the last event that has been, as far as is known here.
        lagging: Whether the client has to catch up before it gets live events.
        gap: Whether events may have been missed since it was last asked what there is.
        reader: The task that reads the log of the room.
    """

    __slots__ = ("gap", "lagging", "position", "reader", "room", "seen")

    def __init__(self, room: Room, position: Position | None = None) -> None:
        self.room = room
        self.position = position
        self.seen = 0 if position is None else position.offset
        self.lagging = False
        self.gap = False
        self.reader: asyncio.Task[None] | None = None


class Connection:
    """An authenticated client.

    Attributes:
        id: Its Socket.IO session id.
        principal: Who it is.
        rooms: The rooms that it is in.
        link: The way to it.
        tasks: What is being done for it; cancelled when it goes.
        events: How many of its events are being worked on.
        closed: Whether it is gone or about to go.
        behind: Whether it has to catch up in some room.
        catching_up: Whether it is just doing so.
        timer: Runs when its credentials are about to expire, and when they have.
    """

    def __init__(self, sid: str, principal: Principal, link: Link) -> None:
        self.id = sid
        self.principal = principal
        self.link = link
        self.rooms: dict[Room, Membership] = {}
        self.tasks: set[asyncio.Task[Any]] = set()
        self.events = 0
        self.closed = False
        self.behind = False
        self.catching_up = False
        self.timer: asyncio.TimerHandle | None = None

    @property
    def user_id(self) -> uuid.UUID:
        """Whose connection it is."""
        return self.principal.user.id

    def send(self, event: str, data: Any) -> None:
        """Tell this client alone.

        Raises:
            InvalidInputError: The data is not JSON-like.
        """
        if not self.closed:
            self.link.send(event_text(event, data))

    def close(self) -> None:
        """Do nothing more for the client; what is being done is cancelled, but for what asks for this."""
        self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        current = asyncio.current_task()
        for task in list(self.tasks):
            if task is not current:
                task.cancel()

    def spawn(self, coroutine: Any, name: str) -> asyncio.Task[Any]:
        """Do something for the client in the background, for as long as it is there."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
