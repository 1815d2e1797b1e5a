"""The socket service: clients over Socket.IO, in rooms that only their owner enters, each with a bounded outbox."""

from bedplate.services.socket.connection import Connection
from bedplate.services.socket.errors import (
    DrainingError,
    EventTooLargeError,
    MalformedPacketError,
    OtherUserError,
    PayloadError,
    RevokedError,
    RoomNameError,
    SlowConsumerError,
    TooManyConnectionsError,
    TooManyEventsError,
    TooManyRoomsError,
    UnknownEventError,
    error_body,
)
from bedplate.services.socket.gate import Endpoint
from bedplate.services.socket.models import Frame, Handshake, Joined, Presence, Room, RoomKind
from bedplate.services.socket.service import SocketService

__all__ = [
    "Connection",
    "DrainingError",
    "Endpoint",
    "EventTooLargeError",
    "Frame",
    "Handshake",
    "Joined",
    "MalformedPacketError",
    "OtherUserError",
    "PayloadError",
    "Presence",
    "RevokedError",
    "Room",
    "RoomKind",
    "RoomNameError",
    "SlowConsumerError",
    "SocketService",
    "TooManyConnectionsError",
    "TooManyEventsError",
    "TooManyRoomsError",
    "UnknownEventError",
    "error_body",
]
