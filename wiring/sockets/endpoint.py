"""The events of clients: what each carries, what it does, and what it answers."""

import difflib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Credentials, Resource, Scope
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.socket import Connection, PayloadError, UnknownEventError, error_body
from bedplate.wiring.sockets import payloads
from bedplate.wiring.sockets.rooms import Rooms
from bedplate.wiring.sockets.runs import Runs

__all__ = ["EVENTS", "Event", "SocketEndpoint"]


class Event(NamedTuple):
    """One event that clients may send.

    Attributes:
        payload: What it carries.
        handler: Name of the method that does it.
        scope: What an API key must be good for; None: nothing here, for rooms look themselves.
        revalidated: Whether the client's credentials are looked at again first.
    """

    payload: type[payloads.Payload]
    handler: str
    scope: Scope | None = None
    revalidated: bool = True


EVENTS: Final[Mapping[str, Event]] = {
    "join": Event(payloads.Join, "join"),
    "leave": Event(payloads.Leave, "leave"),
    "resume": Event(payloads.Resume, "resume"),
    "run": Event(payloads.Run, "run", Scope.FLOWS_RUN),
    "message": Event(payloads.Say, "message", Scope.FLOWS_RUN),
    "cancel": Event(payloads.Cancel, "cancel", Scope.FLOWS_RUN),
    "get_vertices": Event(payloads.GetVertices, "get_vertices", Scope.FLOWS_READ),
    "build_vertex": Event(payloads.BuildVertex, "build_vertex", Scope.FLOWS_RUN),
    "refresh": Event(payloads.Refresh, "refresh", revalidated=False),
}

Handler = Callable[[Connection, Any], Awaitable[dict[str, Any]]]


class SocketEndpoint:
    """Answers the events of clients.

    Args:
        container: The services.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container
        self._rooms = Rooms(container)
        self._runs = Runs(container, self._rooms)

    async def opened(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """Let a client into its user's room, and into those that it was in before."""
        rooms = auth.get("resume") or {}
        asked = payloads.payload_of(payloads.Resume, [{"rooms": rooms}]).rooms
        entered = await self._enter_all(connection, {"user": None, **asked})
        if rooms:
            connection.send("resumed", {"rooms": entered})

    async def handle(self, connection: Connection, event: str, args: list[Any]) -> Any:
        """Do what an event asks for.

        Raises:
            UnknownEventError: There is no such event.
            RevokedError: The credentials of the client are good no longer.
            PermissionDeniedError: The scopes of its key, or the policy of the application, do not allow it.
            PayloadError: It carries something else than it should.
            BedplateError: As the services say.
        """
        known = EVENTS.get(event)
        if known is None:
            nearest = difflib.get_close_matches(event[:64], EVENTS, n=1)
            raise UnknownEventError(event, nearest[0] if nearest else None)
        payload = payloads.payload_of(known.payload, args)
        if known.revalidated:
            await self._container.socket().require_alive(connection)
        if known.scope is not None:
            await self._authorize(connection, event, known.scope, payload)
        handler: Handler = getattr(self, f"_{known.handler}", None) or getattr(self._runs, known.handler)
        return await handler(connection, payload)

    async def _authorize(self, connection: Connection, event: str, scope: Scope, payload: payloads.Payload) -> None:
        named = {name: getattr(payload, name) for name in payload.__struct_fields__ if name.endswith("_id")}
        ids = {name: str(value) for name, value in named.items() if value is not None}
        resource = Resource(kind=f"socket {event}", ids=ids)
        await self._container.auth().authorize(connection.principal, scope, resource)

    async def _join(self, connection: Connection, payload: payloads.Join) -> dict[str, Any]:
        return await self._rooms.enter(connection, payload.room, payload.last_event_id)

    async def _leave(self, connection: Connection, payload: payloads.Leave) -> dict[str, Any]:
        return self._rooms.leave(connection, payload.room)

    async def _resume(self, connection: Connection, payload: payloads.Resume) -> dict[str, Any]:
        return {"rooms": await self._enter_all(connection, payload.rooms)}

    async def _refresh(self, connection: Connection, payload: payloads.Refresh) -> dict[str, Any]:
        if not payload.token and not payload.api_key:
            raise PayloadError("there are no new credentials", 'send {"token": "…"} or {"api_key": "…"}')
        credentials = Credentials(bearer=payload.token, api_key=payload.api_key)
        principal = await self._container.socket().reauthenticate(connection, credentials)
        return {"expires_at": principal.expires_at}

    async def _enter_all(self, connection: Connection, rooms: Mapping[str, str | int | None]) -> dict[str, Any]:
        entered: dict[str, Any] = {}
        for address, last_event_id in rooms.items():
            try:
                entered[address] = await self._rooms.enter(connection, address, last_event_id)
            except UnavailableError:
                raise  # as if nothing had been entered: the client comes again
            except BedplateError as error:
                entered[address] = {"error": error_body(error)}
        return entered
