"""Who may enter which room, and what it is told there."""

import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import orjson

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Resource, Scope
from bedplate.services.job_queue import JobQueueService
from bedplate.services.socket import Connection, PayloadError, Room, RoomKind, SocketService
from bedplate.wiring.sockets.shapes import chat_message, job_fields

__all__ = ["SCOPES", "Rooms"]

SCOPES: Final[Mapping[RoomKind, Scope]] = {
    RoomKind.USER: Scope.FLOWS_RUN,
    RoomKind.SESSION: Scope.MESSAGES_READ,
    RoomKind.FLOW: Scope.FLOWS_RUN,
    RoomKind.JOB: Scope.FLOWS_RUN,
}
"""What an API key must be good for to enter."""

_SNAPSHOT: Final = 100
"""Messages of a session that are told to a client that has missed some."""


class Rooms:
    """The rooms of users: each is entered by its owner alone, and another's answers like one that is not there.

    Args:
        container: The services.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container

    @property
    def _socket(self) -> SocketService:
        return self._container.socket()

    async def enter(self, connection: Connection, address: str, last_event_id: str | int | None) -> dict[str, Any]:
        """Enter a room.

        Args:
            connection: Who enters.
            address: The room.
            last_event_id: The last event of it that the client has got.

        Returns:
            The answer for the client.

        Raises:
            NotFoundError: There is no such room, or it is somebody else's.
            PermissionDeniedError: The scopes of the key, or the policy of the application, do not allow it.
            TooManyRoomsError: The connection is in as many rooms as it may be.
            PayloadError: The last event can be none.
        """
        room = Room.parse(connection.user_id, address)
        await self._container.auth().authorize(
            connection.principal, SCOPES[room.kind], Resource(kind="socket join", ids={"room": room.address})
        )
        self._socket.require_place(connection, room)
        if room.kind is RoomKind.JOB:
            return await self._enter_job(connection, room, last_event_id)
        if room.kind is RoomKind.FLOW:
            await self._container.session().flows.get(connection.user_id, uuid.UUID(room.name))
        after = None if last_event_id is None else str(last_event_id)
        joined = await self._socket.join(connection, room, after)
        answer: dict[str, Any] = {
            "room": room.address,
            "last_event_id": joined.last_event_id,
            "resync": joined.resync,
        }
        if joined.resync and room.kind is RoomKind.SESSION:
            answer["messages"] = await self._snapshot(connection.user_id, room.name)
        return answer

    def leave(self, connection: Connection, address: str) -> dict[str, Any]:
        """Leave a room; one that the client is not in is left already.

        Raises:
            NotFoundError: It is no address of a room.
        """
        room = Room.parse(connection.user_id, address)
        return {"room": room.address, "left": self._socket.leave(connection, room)}

    async def _enter_job(self, connection: Connection, room: Room, last_event_id: str | int | None) -> dict[str, Any]:
        after = _event_number(last_event_id)
        jobs, job_id = self._container.job_queue(), uuid.UUID(room.name)
        job = await jobs.get(connection.user_id, job_id)
        self._socket.follow(connection, room, "job_event", _entries(jobs, connection.user_id, job_id, after))
        return {"room": room.address, "last_event_id": str(after), "resync": False, "job": job_fields(job)}

    async def _snapshot(self, user_id: uuid.UUID, session_id: str) -> list[dict[str, Any]]:
        messages = await self._container.chat().history(user_id, session_id, limit=_SNAPSHOT)
        mask = self._container.redactor().value
        return [mask(chat_message(message)) for message in messages]


async def _entries(
    jobs: JobQueueService, user_id: uuid.UUID, job_id: uuid.UUID, after: int
) -> AsyncGenerator[tuple[str, str], None]:
    async with aclosing(jobs.events(user_id, job_id, after=after)) as events:
        async for event in events:
            kind = orjson.dumps(event.type).decode()
            yield str(event.id), f'{{"job_id":"{job_id}","event":{kind},"data":{event.payload.decode()}}}'


def _event_number(event_id: str | int | None) -> int:
    text = "0" if event_id is None else str(event_id)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise PayloadError("the events of a job have numbers", "name the event_id of the last job_event")
    return int(text)
