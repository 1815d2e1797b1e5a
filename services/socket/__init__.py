"""The socket service: clients over Socket.IO, rooms that only their owner enters, and bounded ways to each client."""

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
from bedplate.services.socket.models import Frame, Handshake, Joined, Presence, Room, RoomKind
from bedplate.services.socket.service import Endpoint, SocketService

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
