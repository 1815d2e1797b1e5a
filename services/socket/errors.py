"""Errors of the socket service, and the one shape in which clients read any error.

::

    InvalidInputError
    ├── PayloadError              an event carries something else than it should
    ├── UnknownEventError         no event has this name
    ├── MalformedPacketError      what came is no packet of the protocol
    └── EventTooLargeError        an event is over the limit                     (a TooLargeError)
    NotFoundError
    └── RoomNameError             no such room, or not the caller's
    PermissionDeniedError
    └── OtherUserError            new credentials of a connection are another user's
    AuthenticationError
    └── RevokedError              the credentials of a connection are good no longer
    RateLimitedError
    ├── TooManyConnectionsError · TooManyRoomsError · TooManyEventsError
    └── SlowConsumerError         the client reads more slowly than events come
    UnavailableError
    └── DrainingError             the server is about to stop
"""

from typing import Any

from bedplate.services.errors import (
    AuthenticationError,
    BedplateError,
    ConfigurationError,
    CorruptDataError,
    InvalidInputError,
    LifecycleError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "DrainingError",
    "EventTooLargeError",
    "MalformedPacketError",
    "OtherUserError",
    "PayloadError",
    "RevokedError",
    "RoomNameError",
    "SlowConsumerError",
    "TooManyConnectionsError",
    "TooManyEventsError",
    "TooManyRoomsError",
    "UnknownEventError",
    "error_body",
]

_SERVICE = ServiceType.SOCKET
_OURS = (ConfigurationError, LifecycleError, CorruptDataError)
"""Errors that say nothing to a caller: the server's own."""


class PayloadError(InvalidInputError):
    """An event carries something else than it should.

    Args:
        what: What is wrong, and where.
        fix: What to send instead.
    """

    code = "payload"

    def __init__(self, what: str, fix: str | None = None) -> None:
        super().__init__(what, service=_SERVICE, fix=fix or "see the events in the documentation of the socket service")


class UnknownEventError(InvalidInputError):
    """No event has this name.

    Args:
        name: The name.
        nearest: One that exists and looks like it.
    """

    code = "unknown_event"

    def __init__(self, name: str, nearest: str | None = None) -> None:
        fix = f"send {nearest!r}" if nearest else "see the events in the documentation of the socket service"
        super().__init__(f"there is no event {name!r:.80}", service=_SERVICE, fix=fix)


class MalformedPacketError(InvalidInputError):
    """What came is no packet of the protocol, or one of a kind that is not used here."""

    code = "malformed_packet"

    def __init__(self, what: str = "this is no event of Socket.IO") -> None:
        super().__init__(what, service=_SERVICE, fix="use a Socket.IO client of protocol 5, without binary attachments")


class EventTooLargeError(TooLargeError):
    """An event of a client is over the limit."""

    code = "event_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"an event may have {limit} bytes",
            service=_SERVICE,
            fix="send less, upload it as a file, or raise BEDPLATE_SOCKET__MAX_EVENT_BYTES",
        )


class RoomNameError(NotFoundError):
    """There is no such room, or it is somebody else's."""

    code = "room_not_found"

    def __init__(self) -> None:
        super().__init__(
            "there is no such room",
            service=_SERVICE,
            fix="name a room of yours: user, session:<id>, flow:<id> or job:<id>",
        )


class OtherUserError(PermissionDeniedError):
    """The new credentials of a connection are another user's."""

    code = "other_user"

    def __init__(self) -> None:
        super().__init__(
            "these credentials are another user's", service=_SERVICE, fix="open a connection for each user"
        )


class RevokedError(AuthenticationError):
    """The credentials of a connection are good no longer: logged out, deactivated or deleted."""

    code = "revoked"

    def __init__(self) -> None:
        super().__init__("the credentials are not valid any more", service=_SERVICE, fix="log in and connect again")


class TooManyConnectionsError(RateLimitedError):
    """There are as many connections as may be.

    Args:
        whose: ``"your"`` or ``"all"``.
        limit: How many.
        setting: The setting that says so.
    """

    code = "too_many_connections"

    def __init__(self, whose: str, limit: int, setting: str) -> None:
        super().__init__(
            f"there are {limit} connections already, as many as may be ({whose})",
            service=_SERVICE,
            retry_after=5.0,
            fix=f"close one, or raise BEDPLATE_SOCKET__{setting}",
        )


class TooManyRoomsError(RateLimitedError):
    """A connection is in as many rooms as it may be."""

    code = "too_many_rooms"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"a connection may be in {limit} rooms",
            service=_SERVICE,
            fix="leave one, or raise BEDPLATE_SOCKET__MAX_ROOMS",
        )


class TooManyEventsError(RateLimitedError):
    """A client sends more than it may."""

    code = "too_many_events"

    def __init__(self, what: str, setting: str, retry_after: float | None = None) -> None:
        super().__init__(
            what, service=_SERVICE, retry_after=retry_after, fix=f"send less, or raise BEDPLATE_SOCKET__{setting}"
        )


class SlowConsumerError(RateLimitedError):
    """The client reads more slowly than events come."""

    code = "slow_consumer"

    def __init__(self) -> None:
        super().__init__(
            "events come faster than they are read",
            service=_SERVICE,
            retry_after=1.0,
            fix="read faster, or connect again and name the last event ids",
        )


class DrainingError(UnavailableError):
    """The server is about to stop.

    Attributes:
        retry_after: Seconds after which another server, or this one, may answer.
    """

    code = "draining"

    def __init__(self, retry_after: float) -> None:
        super().__init__("the server is stopping", service=_SERVICE, fix="connect again and name the last event ids")
        self.retry_after = retry_after


def error_body(error: BaseException) -> dict[str, Any]:
    """What a client is told of an error: code, message and fix, and never the text of a foreign exception."""
    if not isinstance(error, BedplateError):
        return {"code": "internal", "message": "Internal server error", "fix": None}
    if isinstance(error, _OURS):
        return {"code": error.code, "message": "Internal server error", "fix": None}
    body: dict[str, Any] = {"code": error.code, "message": error.what, "fix": error.fix}
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        body["retry_after"] = round(retry_after, 3)
    return body
