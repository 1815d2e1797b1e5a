"""A real server on loopback, real Socket.IO clients, and flows that answer without anything from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import socketio

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.session import Flow, NewFlow
from bedplate.services.socket import SocketService
from bedplate.wiring.http import create_app
from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.flows import Flow as FlowText
from bedplate.wiring.testing.serving import serving

PATIENCE = 30.0

NewFlowOf = Callable[[User], Awaitable[Flow]]


async def _read_whole(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """The library lets go of some answers without reading them, which is a warning when they are collected."""
    response = await handler(request)
    if response.status != 101:
        await response.read()
    return response


class Client:
    """A Socket.IO client that keeps what it is told, in order."""

    def __init__(self, url: str, transport: str) -> None:
        self.url = url
        self.transport = transport
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), middlewares=(_read_whole,))
        self.sio = socketio.AsyncClient(reconnection=False, http_session=self._http)
        self.heard: list[tuple[str, Any]] = []
        self.refused: Any = None
        self.reason: str | None = None
        self._changed = asyncio.Condition()
        self.sio.on("*", self._on_event)
        self.sio.on("connect_error", self._on_refused)
        self.sio.on("disconnect", self._on_disconnect)

    async def connect(self, auth: Any = None, **headers: str) -> "Client":
        await self.sio.connect(self.url, auth=auth, headers=headers, transports=[self.transport], wait_timeout=PATIENCE)
        return self

    async def call(self, event: str, data: Any = None, **fields: Any) -> Any:
        """Send an event and return the answer."""
        return await self.sio.call(event, fields if data is None else data, timeout=PATIENCE)

    async def ok(self, event: str, data: Any = None, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.call(event, data, **fields)
        assert answer.pop("ok") is True, answer
        return answer

    async def error(self, event: str, data: Any = None, **fields: Any) -> dict[str, Any]:
        answer = await self.call(event, data, **fields)
        assert answer["ok"] is False, answer
        error: dict[str, Any] = answer["error"]
        return error

    def all(self, event: str) -> list[Any]:
        return [data for name, data in self.heard if name == event]

    async def until(self, event: str, is_it: Callable[[Any], bool] = lambda _data: True, count: int = 1) -> Any:
        """Wait until an event has come ``count`` times; returns the last one."""

        def found() -> list[Any]:
            return [data for name, data in self.heard if name == event and is_it(data)]

        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: len(found()) >= count)
        return found()[count - 1]

    async def until_disconnected(self) -> str:
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.reason is not None)
        assert self.reason is not None
        return self.reason

    async def close(self) -> None:
        if self.sio.connected:
            # A polling client that leaves while it sends does not say so, and the server would wait for it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.sio.eio.queue.join(), 1)
        await self.sio.shutdown()
        await self._http.close()

    async def _on_event(self, event: str, *args: Any) -> None:
        async with self._changed:
            self.heard.append((event, args[0] if len(args) == 1 else args))
            self._changed.notify_all()

    async def _on_refused(self, data: Any) -> None:
        self.refused = data

    async def _on_disconnect(self, reason: str) -> None:
        async with self._changed:
            self.reason = reason
            self._changed.notify_all()


async def after(owner: Any, method: str, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, looking again whenever this method of the owner has been called."""
    called = asyncio.Event()
    original = getattr(owner, method)

    def watched(*args: Any, **fields: Any) -> Any:
        called.set()
        return original(*args, **fields)

    setattr(owner, method, watched)
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                called.clear()
                await called.wait()
                await asyncio.sleep(0)
    finally:
        delattr(owner, method)


class Sockets:
    """Makes clients of one server, and closes them."""

    def __init__(self, url: str, clients: Clients, transport: str, stack: contextlib.AsyncExitStack) -> None:
        self.url = url
        self.clients = clients
        self.transport = transport
        self._stack = stack

    def client(self, transport: str | None = None) -> Client:
        client = Client(self.url, transport or self.transport)
        self._stack.push_async_callback(client.close)
        return client

    async def token(self, username: str) -> str:
        await self.clients.user(username)
        return (await self.clients.container.auth().login(username, PASSWORD)).access_token

    async def logged_in(self, username: str = "ann", **auth: Any) -> Client:
        return await self.client().connect({"token": await self.token(username), **auth})


@pytest.fixture
def socket_settings() -> dict[str, Any]:
    """Override it to add settings of the service."""
    return {}


@pytest.fixture
def container_settings(container_settings: dict[str, Any], socket_settings: dict[str, Any]) -> dict[str, Any]:
    # A polling client in Python that leaves waits for the next sign of life.
    return container_settings | {"socket": {"ping_interval": 0.25, **socket_settings}}


@pytest.fixture(params=["websocket", "polling"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def sockets(container: ApplicationContainer, transport: str) -> AsyncIterator[Sockets]:
    app = create_app(container)
    async with serving(app) as url, contextlib.AsyncExitStack() as stack:
        yield Sockets(url, Clients(app, container, stack), transport, stack)


@pytest.fixture
def service(container: ApplicationContainer) -> SocketService:
    return container.socket()


@pytest.fixture
async def ann(sockets: Sockets) -> User:
    return await sockets.clients.user("ann")


@pytest.fixture
async def bob(sockets: Sockets) -> User:
    return await sockets.clients.user("bob")


@pytest.fixture
def new_flow(container: ApplicationContainer) -> NewFlowOf:
    """Flows in which what is said comes back."""

    async def make(owner: User, name: str = "echo") -> Flow:
        document = (
            FlowText().node("in", "ChatInput").node("out", "ChatOutput").edge("in", "message", "out", "input_value")
        )
        return await container.session().flows.create(owner.id, NewFlow(name=name, data=document.data))

    return make


@pytest.fixture
async def echo(ann: User, new_flow: NewFlowOf) -> Flow:
    return await new_flow(ann)
