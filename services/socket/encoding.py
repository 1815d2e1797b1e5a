"""Socket.IO packets as text (protocol 5): events are encoded once, whoever gets them."""

from typing import Any, Final

import msgspec
import orjson

from bedplate.services.errors import InvalidInputError
from bedplate.services.text import storable

__all__ = ["ack_text", "encode", "event_text", "room_event_text"]

_EVENT: Final = "2"
_ACK: Final = "3"
_encode = msgspec.json.Encoder().encode


def encode(data: Any) -> str:
    """JSON-like data as JSON.

    Raises:
        InvalidInputError: It is not JSON-like.
    """
    try:
        return _encode(data).decode()
    except UnicodeEncodeError:
        return _encode(storable(data)).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "the data of an event is not JSON-like",
            service="socket",
            why=type(error).__name__,
            fix="send dicts, lists, texts, numbers, booleans, None, UUIDs and datetimes only",
        ) from error


def event_text(event: str, data: Any) -> str:
    """An event for one connection."""
    return f"{_EVENT}[{orjson.dumps(event).decode()},{encode(data)}]"


def room_event_text(event: str, address: str, event_id: str, fields: str) -> str:
    """An event of a room: an object with the room, the id, and what is told.

    Args:
        event: The name.
        address: What clients call the room.
        event_id: The id by which a client goes on from here.
        fields: What is told, as a JSON object.
    """
    head = f'{{"room":{orjson.dumps(address).decode()},"event_id":"{event_id}"'
    body = f"{head},{fields[1:]}" if len(fields) > len("{}") else f"{head}}}"
    return f"{_EVENT}[{orjson.dumps(event).decode()},{body}]"


def ack_text(ack_id: int, data: Any) -> str:
    """The answer to an event that asked for one."""
    return f"{_ACK}{ack_id}[{encode(data)}]"
