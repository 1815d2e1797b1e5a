"""The Socket.IO endpoint beside the routes of the REST API."""

import contextlib
from collections.abc import AsyncIterator

import orjson
from starlette.types import Receive, Scope, Send

from bedplate.containers import ApplicationContainer
from bedplate.services.errors import BedplateError
from bedplate.services.socket import error_body
from bedplate.wiring.http.errors import status_of
from bedplate.wiring.sockets.endpoint import SocketEndpoint
from bedplate.wiring.sockets.news import News

__all__ = ["SocketApp"]


class SocketApp:
    """An ASGI application that hands requests to the socket service of a container.

    Args:
        container: The services.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused is answered like any other route."""
        try:
            await self._container.socket()(scope, receive, send)
        except BedplateError as error:
            if scope["type"] != "websocket":
                raise
            await receive()
            await _refuse(scope, send, error)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer the events of clients, and tell them what happens, while the block runs; the services are running."""
        self._container.socket().attach(SocketEndpoint(self._container))
        with News(self._container):
            yield


async def _refuse(scope: Scope, send: Send, error: BedplateError) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        return
    body = orjson.dumps(error_body(error))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
