"""An event over Socket.IO, told in one replica to a client of another, through Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import socketio

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.socket import Room
from bedplate.wiring.http import create_app
from bedplate.wiring.testing.servers.valkey import valkey
from bedplate.wiring.testing.serving import serving
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder
from benchmarks.socket import EVENTS, OPTIONS, Tell, burst, connected, one_by_one

__all__ = ["rows"]

_PASSWORD = "a password of nobody"
_DATA = {"chunk": "a few words", "id": "3f0c4d2e-7b1a-4c58-9d57-2a6c1f0e9b11"}

Pair = tuple[Tell, aiohttp.ClientWebSocketResponse]


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """One event to one client, and a burst of them, against the manager of python-socketio, which keeps nothing."""
    with (
        temporary_folder() as server,
        valkey(Path(server)) as url,
        temporary_folder() as one,
        temporary_folder() as two,
    ):
        settings = {"socket": {"backend": "redis", **OPTIONS}, "redis": {"url": url}}
        with run_in(runner, one, **settings) as serves, run_in(runner, two, "socket", **settings) as tells:
            user = runner.run(serves.auth().create_superuser("ada", _PASSWORD))
            ours, bare = _ours(serves, tells, user), _bare(url)
            tell, client = runner.run(ours.__aenter__())
            peer_tell, peer_client = runner.run(bare.__aenter__())
            try:
                yield ratio(
                    "socket event to a client of another replica, Redis",
                    lambda: one_by_one(tell, client),
                    lambda: one_by_one(peer_tell, peer_client),
                    against="AsyncRedisManager of python-socketio, which keeps nothing",
                    unit="µs",
                    aim=Aim("≤", 1.5),
                    runner=runner,
                )
                yield ratio(
                    f"{EVENTS} socket events at once to a client of another replica, each, Redis",
                    lambda: burst(tell, client),
                    lambda: burst(peer_tell, peer_client),
                    against="AsyncRedisManager of python-socketio, which keeps nothing",
                    unit="µs",
                    aim=Aim("≤", 1.2),
                    runner=runner,
                )
            finally:
                runner.run(ours.__aexit__(None, None, None))
                runner.run(bare.__aexit__(None, None, None))


@asynccontextmanager
async def _ours(serves: ApplicationContainer, tells: ApplicationContainer, user: User) -> AsyncIterator[Pair]:
    app = create_app(serves)
    token = (await serves.auth().login("ada", _PASSWORD)).access_token
    service, room = tells.socket(), Room.user(user.id)

    async def tell() -> None:
        service.publish(room, "token", _DATA)

    async with serving(app) as url, connected(url, f'40{{"token":"{token}"}}') as client:
        yield tell, client


@asynccontextmanager
async def _bare(redis: str) -> AsyncIterator[Pair]:
    sio = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(redis), **OPTIONS)
    other = socketio.AsyncRedisManager(redis, write_only=True)
    sids: list[str] = []

    @sio.event
    async def connect(sid: str, _environ: object, _auth: object) -> None:
        sids.append(sid)

    async def tell() -> None:
        await other.emit("token", _DATA, room=sids[0])

    async with serving(socketio.ASGIApp(sio), lifespan=False) as url, connected(url, "40") as client:
        yield tell, client
    await sio.shutdown()
