"""An event over Socket.IO, from the code that tells it to a client that reads it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import aiohttp
import socketio

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.socket import Room
from bedplate.wiring.http import create_app
from bedplate.wiring.testing.serving import serving
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["DATA", "EVENTS", "OPTIONS", "PASSWORD", "Pair", "Tell", "burst", "connected", "one_by_one", "ours", "rows"]

EVENTS = 300
"""Events of one measurement."""
PASSWORD = "a password of nobody"
DATA = {"chunk": "a few words", "id": "3f0c4d2e-7b1a-4c58-9d57-2a6c1f0e9b11"}
OPTIONS = {"ping_interval": 600.0, "ping_timeout": 600.0}
"""Nothing but what is measured."""

Tell = Callable[[], Awaitable[None]]
Pair = tuple[Tell, aiohttp.ClientWebSocketResponse]


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """One event to one client, and a burst of them, against python-socketio alone."""
    with temporary_folder() as folder, run_in(runner, folder, socket=OPTIONS) as container:
        user = runner.run(container.auth().create_superuser("ada", PASSWORD))
        subject, bare = ours(container, container, user), _bare()
        tell, client = runner.run(subject.__aenter__())
        peer_tell, peer_client = runner.run(bare.__aenter__())
        try:
            yield ratio(
                "socket event to one client",
                lambda: one_by_one(tell, client),
                lambda: one_by_one(peer_tell, peer_client),
                against="python-socketio alone",
                unit="µs",
                aim=Aim("≤", 1.2),
                runner=runner,
            )
            yield ratio(
                f"{EVENTS} socket events to one client at once, each",
                lambda: burst(tell, client),
                lambda: burst(peer_tell, peer_client),
                against="python-socketio alone",
                unit="µs",
                aim=Aim("≤", 1.2),
                runner=runner,
            )
        finally:
            runner.run(subject.__aexit__(None, None, None))
            runner.run(bare.__aexit__(None, None, None))


@asynccontextmanager
async def ours(serves: ApplicationContainer, tells: ApplicationContainer, user: User) -> AsyncIterator[Pair]:
    """A client of one container, and what tells it something in another or in the same."""
    app = create_app(serves)
    token = (await serves.auth().login("ada", PASSWORD)).access_token
    service, room = tells.socket(), Room.user(user.id)

    async def tell() -> None:
        service.publish(room, "token", DATA)

    async with serving(app) as url, connected(url, f'40{{"token":"{token}"}}') as client:
        yield tell, client


@asynccontextmanager
async def _bare() -> AsyncIterator[Pair]:
    sio = socketio.AsyncServer(async_mode="asgi", **OPTIONS)
    sids: list[str] = []

    @sio.event
    async def connect(sid: str, _environ: object, _auth: object) -> None:
        sids.append(sid)

    async def tell() -> None:
        await sio.emit("token", DATA, to=sids[0])

    async with serving(socketio.ASGIApp(sio), lifespan=False) as url, connected(url, "40") as client:
        yield tell, client
    await sio.shutdown()


@asynccontextmanager
async def connected(url: str, hello: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client that has said hello."""
    address = f"{url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as client:
        await client.receive_str()
        await client.send_str(hello)
        assert (await client.receive_str()).startswith("40")
        yield client


async def one_by_one(tell: Tell, client: aiohttp.ClientWebSocketResponse) -> float:
    """Microseconds from telling an event until it has come."""
    begun = time.perf_counter()
    for _ in range(EVENTS):
        await tell()
        await _next(client)
    return (time.perf_counter() - begun) / EVENTS * 1e6


async def burst(tell: Tell, client: aiohttp.ClientWebSocketResponse) -> float:
    """Microseconds an event of many that are told at once."""
    begun = time.perf_counter()
    for _ in range(EVENTS):
        await tell()
    for _ in range(EVENTS):
        await _next(client)
    return (time.perf_counter() - begun) / EVENTS * 1e6


async def _next(client: aiohttp.ClientWebSocketResponse) -> None:
    while not (await client.receive_str()).startswith('42["token"'):
        pass
