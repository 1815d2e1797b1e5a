"""An event over Socket.IO, told in one replica to a client of another, through Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import socketio

from bedplate.wiring.testing.servers.valkey import valkey
from bedplate.wiring.testing.serving import serving
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder
from benchmarks.socket import DATA, EVENTS, OPTIONS, PASSWORD, Pair, burst, connected, one_by_one, ours

__all__ = ["rows"]


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
            user = runner.run(serves.auth().create_superuser("ada", PASSWORD))
            subject, bare = ours(serves, tells, user), _bare(url)
            tell, client = runner.run(subject.__aenter__())
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
                runner.run(subject.__aexit__(None, None, None))
                runner.run(bare.__aexit__(None, None, None))


@asynccontextmanager
async def _bare(redis: str) -> AsyncIterator[Pair]:
    sio = socketio.AsyncServer(async_mode="asgi", client_manager=socketio.AsyncRedisManager(redis), **OPTIONS)
    other = socketio.AsyncRedisManager(redis, write_only=True)
    sids: list[str] = []

    @sio.event
    async def connect(sid: str, _environ: object, _auth: object) -> None:
        sids.append(sid)

    async def tell() -> None:
        await other.emit("token", DATA, room=sids[0])

    async with serving(socketio.ASGIApp(sio), lifespan=False) as url, connected(url, "40") as client:
        yield tell, client
    await sio.shutdown()
