"""What stands between the transport and the service: who comes in, which events are worked on, who has to go."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.admission import Admission
from bedplate.services.socket.backend import Broker
from bedplate.services.socket.connection import Connection, Link
from bedplate.services.socket.encoding import ack_text, event_text
from bedplate.services.socket.errors import (
    DrainingError,
    SlowConsumerError,
    TooManyConnectionsError,
    TooManyEventsError,
    error_body,
)
from bedplate.services.socket.hub import Hub
from bedplate.services.socket.models import Handshake
from bedplate.services.telemetry import TelemetryService

__all__ = ["Endpoint", "Gate"]

_log = get_logger("bedplate.socket")

_CREDENTIALS = ("token", "api_key")


class Endpoint(Protocol):
    """What clients' events mean; the service itself knows rooms and limits only."""

    async def opened(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """A client has come in; ``auth`` is what it sent beside its credentials."""

    async def handle(self, connection: Connection, event: str, args: list[Any]) -> Mapping[str, Any]:
        """Do what an event asks for; what is returned is the answer.

        Raises:
            BedplateError: The answer says why not.
        """
        ...


class _NoEndpoint:
    """Answers before anything is served."""

    async def opened(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        """Nothing to do."""

    async def handle(self, connection: Connection, event: str, args: list[Any]) -> Mapping[str, Any]:
        """Nothing is known."""
        return {}


class Gate:
    """Lets clients in and out, and passes their events on.

    Args:
        settings: Limits.
        admission: Who may come in.
        hub: Who is in which room.
        broker: Counts the connections of users over all replicas.
        telemetry: For the metrics.

    Attributes:
        endpoint: Does what events ask for.
        draining: Whether nobody comes in any more.
        on_admitted: Called with each client that has come in.
    """

    def __init__(
        self,
        settings: SocketSettings,
        admission: Admission,
        hub: Hub,
        broker: Broker,
        telemetry: TelemetryService,
    ) -> None:
        self.endpoint: Endpoint = _NoEndpoint()
        self.draining = False
        self.on_admitted: Callable[[Connection], None] = lambda _connection: None
        self._settings = settings
        self._admission = admission
        self._hub = hub
        self._broker = broker
        meter = telemetry.meter
        self._opened = meter.counter("bedplate_socket_connections_opened", "Clients that came in")
        self._closed = meter.counter("bedplate_socket_connections_closed", "Clients that went", labels=("reason",))
        self._received = meter.counter("bedplate_socket_events_received", "Events of clients that were let through")
        self._refused = meter.counter(
            "bedplate_socket_refused", "Connections and events that were refused", labels=("code",)
        )

    def require_open(self, strangers: int) -> None:
        """Raise unless another client may try to come in.

        Args:
            strangers: Clients that have not said yet who they are; as many may be as clients that have.

        Raises:
            DrainingError: Nobody comes in any more.
            TooManyConnectionsError: There are too many.
        """
        if self.draining:
            raise DrainingError(self._settings.retry_after)
        if strangers >= self._settings.max_connections:
            raise self._too_many()

    async def connect(self, sid: str, link: Link, handshake: Handshake) -> Connection:
        """Let a client in.

        Raises:
            AuthenticationError: It has no credentials, or they are not good.
            OriginNotAllowedError: It has the session cookie, and comes from a page of another origin.
            TooManyConnectionsError: The user has too many, or there are too many in all.
            DrainingError: Nobody comes in any more.
        """
        principal = await self._admission.authenticate(handshake)
        user_id, limit = principal.user.id, self._settings.max_connections_per_user
        self._require_seat(user_id)
        if not await self._broker.admit(user_id, sid, limit):
            raise TooManyConnectionsError("yours", limit, "MAX_CONNECTIONS_PER_USER")
        try:
            self._require_seat(user_id)
        except BedplateError:
            self._broker.dismiss(user_id, sid)
            raise
        connection = Connection(sid, principal, link)
        self._hub.add(connection)
        self._opened.add()
        self.on_admitted(connection)
        auth = {name: value for name, value in handshake.auth.items() if name not in _CREDENTIALS}
        connection.spawn(self._open(connection, auth), "bedplate-socket-open")
        return connection

    def _require_seat(self, user_id: uuid.UUID) -> None:
        """Raise unless there is room for another connection of a user here."""
        self.require_open(0)
        settings = self._settings
        if len(self._hub) >= settings.max_connections:
            raise self._too_many()
        if self._hub.of_user(user_id) >= settings.max_connections_per_user:
            raise TooManyConnectionsError("yours", settings.max_connections_per_user, "MAX_CONNECTIONS_PER_USER")

    def event(self, connection: Connection, ack_id: int | None, name: str, args: list[Any]) -> None:
        """Begin to work on an event of a client."""
        if connection.closed:
            return
        self._received.add()
        if connection.events >= self._settings.max_concurrent_events:
            error = TooManyEventsError("too many events are being worked on", "MAX_CONCURRENT_EVENTS", 0.1)
            self.refused(error)
            _answer(connection, ack_id, _refusal(error))
            return
        connection.events += 1
        task = connection.spawn(self._work(connection, ack_id, name, args), "bedplate-socket-event")
        task.add_done_callback(lambda _task: _worked(connection))

    def refused(self, error: BedplateError) -> None:
        """Count what was refused."""
        self._refused.add(code=error.code)

    def catch_up(self, connection: Connection) -> None:
        """A client has read so much that it can be given what it missed."""
        self._hub.catch_up(connection)

    def disconnect(self, connection: Connection, error: BedplateError, *, again: bool = False) -> None:
        """End a connection, and tell the client why.

        Args:
            connection: Which.
            error: Why.
            again: Whether clients should connect again by themselves.
        """
        if connection.closed:
            return
        self.release(connection, error.code)
        # A client that does not read would learn the reason behind everything that it has not read.
        discard = isinstance(error, SlowConsumerError | TooManyEventsError)
        connection.link.finish(event_text("closing", error_body(error)), again=again, discard=discard)

    def release(self, connection: Connection, reason: str) -> None:
        """Forget a client: it has gone, or is about to."""
        if connection.closed:
            return
        self._closed.add(reason=reason)
        self._hub.remove(connection)
        connection.close()

    async def _open(self, connection: Connection, auth: Mapping[str, Any]) -> None:
        try:
            await self.endpoint.opened(connection, auth)
        except UnavailableError as error:
            # It would be told of nothing, and not know.
            self.refused(error)
            self.disconnect(connection, error, again=True)
        except Exception as error:
            self._report("a connection could not be opened", error)
            connection.send("error", error_body(error))

    async def _work(self, connection: Connection, ack_id: int | None, name: str, args: list[Any]) -> None:
        try:
            answer = {"ok": True, **await self.endpoint.handle(connection, name, args)}
        except Exception as error:
            self._report("an event failed", error)
            answer = _refusal(error)
        _answer(connection, ack_id, answer)

    def _report(self, what: str, error: Exception) -> None:
        if isinstance(error, BedplateError):
            self.refused(error)
            if error_body(error)["message"] == error.what:
                return
        _log.error(what, exc_info=error)

    def _too_many(self) -> TooManyConnectionsError:
        return TooManyConnectionsError("in all", self._settings.max_connections, "MAX_CONNECTIONS")


def _refusal(error: Exception) -> dict[str, Any]:
    return {"ok": False, "error": error_body(error)}


def _answer(connection: Connection, ack_id: int | None, answer: Mapping[str, Any]) -> None:
    if connection.closed:
        return
    if ack_id is not None:
        connection.link.send(ack_text(ack_id, answer))
    elif not answer["ok"]:
        connection.link.send(event_text("error", answer["error"]))


def _worked(connection: Connection) -> None:
    connection.events -= 1
