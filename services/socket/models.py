"""The values that cross the boundary of the socket service."""

import re
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from bedplate.services.socket.errors import RoomNameError

__all__ = ["Frame", "Handshake", "Joined", "Presence", "Room", "RoomKind"]

_MAX_NAME = 255
_NO_NAME = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters and halves of surrogate pairs, which are in no text."""


class RoomKind(StrEnum):
    """What a room is about."""

    USER = "user"
    """One user: everything that concerns it and no narrower room."""
    SESSION = "session"
    """A chat session of a user."""
    FLOW = "flow"
    """A flow of a user: how its runs proceed."""
    JOB = "job"
    """A job of a user: its log, event by event."""


class Room(msgspec.Struct, frozen=True):
    """A room: always one user's, so that no name of one user's can mean another's.

    Attributes:
        kind: What it is about.
        user_id: Whose it is.
        name: Id of the flow or job, name of the session; empty for the user's own room.
    """

    kind: RoomKind
    user_id: uuid.UUID
    name: str = ""

    @classmethod
    def user(cls, user_id: uuid.UUID) -> "Room":
        """The room of a user."""
        return cls(RoomKind.USER, user_id)

    @classmethod
    def session(cls, user_id: uuid.UUID, session_id: str) -> "Room":
        """The room of a chat session of this user."""
        return cls(RoomKind.SESSION, user_id, session_id)

    @classmethod
    def flow(cls, user_id: uuid.UUID, flow_id: uuid.UUID) -> "Room":
        """The room of a flow of this user."""
        return cls(RoomKind.FLOW, user_id, str(flow_id))

    @classmethod
    def job(cls, user_id: uuid.UUID, job_id: uuid.UUID) -> "Room":
        """The room of a job of this user."""
        return cls(RoomKind.JOB, user_id, str(job_id))

    @classmethod
    def parse(cls, user_id: uuid.UUID, address: str) -> "Room":
        """The room that a user means by an address such as ``"job:0190…"``; whether it may enter is not asked.

        Raises:
            RoomNameError: It is no address of a room.
        """
        kind, _, name = address.partition(":")
        if kind not in list(RoomKind) or len(name) > _MAX_NAME or (not name and kind != RoomKind.USER):
            raise RoomNameError
        if _NO_NAME.search(name):
            raise RoomNameError
        if kind == RoomKind.USER and name not in ("", str(user_id)):
            raise RoomNameError
        if kind in (RoomKind.FLOW, RoomKind.JOB):
            try:
                name = str(uuid.UUID(name))
            except ValueError:
                raise RoomNameError from None
        return cls(RoomKind(kind), user_id, "" if kind == RoomKind.USER else name)

    @property
    def address(self) -> str:
        """What clients call it."""
        return f"{self.kind}:{self.name}" if self.name else self.kind.value


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One event of a room as it goes out, encoded once for all who get it.

    Attributes:
        id: Its id in the room, increasing; clients see it with the room's epoch in front.
        text: The Socket.IO packet.
    """

    id: int
    text: str


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What came with a connection that is to be authenticated.

    Attributes:
        headers: The headers of the first request, names in lower case.
        auth: The ``auth`` payload of the client.
        address: IP address of the peer.
    """

    headers: Mapping[str, str]
    auth: Mapping[str, Any]
    address: str | None = None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """How a room was entered.

    Attributes:
        last_event_id: The event after which live ones follow; to be named at the next entry.
        resync: Whether events were missed that are no longer kept, so that the client must read anew.
    """

    last_event_id: str
    resync: bool = False


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """Who is there, in this process.

    Attributes:
        connections: Authenticated connections.
        users: Users that have one at least.
        rooms: Rooms with somebody in it, by kind.
    """

    connections: int
    users: int
    rooms: Mapping[RoomKind, int]
