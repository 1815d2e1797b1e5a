"""Rooms whose events stand in a log: read to each client at its own pace."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from bedplate.services.logs import get_logger
from bedplate.services.socket.connection import Connection
from bedplate.services.socket.encoding import room_event_text
from bedplate.services.socket.models import Room

__all__ = ["read_log"]

_log = get_logger("bedplate.socket")


async def read_log(
    connection: Connection,
    room: Room,
    event: str,
    entries: AsyncGenerator[tuple[str, str], None],
    on_sent: Callable[[], None],
) -> None:
    """Tell a client what a log says, to its end; whoever reads slowly gets it slowly, and misses nothing.

    Args:
        connection: The client.
        room: The room that the log is of.
        event: The name of its events.
        entries: Of each event the id, and what is told, as a JSON object.
        on_sent: Called with each that has been handed over.
    """
    address = room.address
    try:
        async with aclosing(entries):
            async for event_id, fields in entries:
                await connection.link.deliver(room_event_text(event, address, event_id, fields))
                on_sent()
    except Exception as error:
        # The log is the truth and is still there: the client reads it again.
        _log.warning("the log of a room could not be read on", room=room.kind, error=type(error).__name__)
        connection.send("resync", {"room": address, "last_event_id": None})
