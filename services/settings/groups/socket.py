"""Settings of the socket service."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["SocketSettings"]

_KIB = 1024
_MIB = 1024 * _KIB

Positive = Annotated[float, Field(gt=0)]


class SocketSettings(ServiceSettings):
    """Socket.IO (``BEDPLATE_SOCKET__*``)."""

    backend: str = "memory"
    """What carries events between replicas: ``memory``, for one, or ``redis``."""
    redis_url: SecretStr | None = None
    """URL of a Redis server of its own; unset: that of ``BEDPLATE_REDIS__URL``."""
    path: str = Field(default="/socket.io", pattern=r"^(/[A-Za-z0-9._~-]+)+$")
    """Path of the Socket.IO endpoint; clients use this one unless told otherwise."""
    transports: tuple[Literal["polling", "websocket"], ...] = Field(default=("polling", "websocket"), min_length=1)
    """Transports that clients may use."""
    ping_interval: Positive = 25.0
    """Seconds between two signs of life that a client is asked for."""
    ping_timeout: Positive = 20.0
    """Seconds after which a client that gave none is gone."""
    connect_timeout: Positive = 10.0
    """Seconds in which a client must have proved who it is."""
    max_connections: int = Field(default=1_000, ge=1)
    """Most connections of one process."""
    max_connections_per_user: int = Field(default=20, ge=1)
    """Most connections of one user, over all replicas with the backend ``redis``."""
    max_rooms: int = Field(default=100, ge=1)
    """Most rooms that one connection may be in, the user's own among them."""
    max_event_bytes: int = Field(default=256 * _KIB, ge=1_024)
    """Largest event of a client, in bytes; a client that sends a larger one is disconnected."""
    events_per_second: Positive = 20.0
    """Events that a client may send in a second, on average."""
    events_burst: int = Field(default=60, ge=1)
    """Events that it may send at once."""
    bytes_per_second: int = Field(default=256 * _KIB, ge=1_024)
    """Bytes of events that a client may send in a second, on average."""
    bytes_burst: int = Field(default=_MIB, ge=1_024)
    """Bytes of events that it may send at once."""
    max_refused: int = Field(default=100, ge=1)
    """Events in a row, too many or malformed, after which a client is disconnected."""
    max_concurrent_events: int = Field(default=8, ge=1)
    """Events of one client that are worked on at once; more are refused."""
    outbox_events: int = Field(default=1_000, ge=16)
    """Events that may wait for one client to read them."""
    outbox_bytes: int = Field(default=4 * _MIB, ge=16 * _KIB)
    """Bytes that may wait for one client to read them."""
    slow_consumer: Literal["resync", "disconnect"] = "resync"
    """What happens to a client that reads too slowly: it misses events and is told so, or is disconnected."""
    send_timeout: Positive = 20.0
    """Seconds after which a client that reads nothing at all is disconnected."""
    history_events: int = Field(default=500, ge=1)
    """Events of a room that are kept for clients that come back."""
    history_bytes: int = Field(default=_MIB, ge=1_024)
    """Bytes of those events."""
    history_ttl: Seconds = 120.0
    """Seconds that they are kept when nobody is in the room."""
    history_total_bytes: int = Field(default=64 * _MIB, ge=1_024)
    """Bytes of the kept events of all rooms; the rooms that nobody is in give way first."""
    revalidate_interval: Positive = 5.0
    """Seconds after which a logout, a deactivation or a deleted key has ended its connections at the latest, in every
    replica; most are ended at once."""
    expiry_warning: Seconds = 60.0
    """Seconds before its token expires that a client is told."""
    retry_after: Positive = 1.0
    """Seconds after which clients should come back when the server stops; spread up to twice that."""

    @model_validator(mode="after")
    def _burst_holds_an_event(self) -> Self:
        if self.bytes_burst < self.max_event_bytes:
            raise ValueError("bytes_burst must be at least max_event_bytes")
        if self.history_total_bytes < self.history_bytes:
            raise ValueError("history_total_bytes must be at least history_bytes")
        return self
