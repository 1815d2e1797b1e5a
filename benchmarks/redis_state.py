"""Changing a value of the state of a run in Redis, and hearing of it in another replica."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis

from bedplate.services.state import Scope, StateService, Subscription
from bedplate.wiring.testing.servers.valkey import valkey
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_CALLS = 500
_KEYS = [f"key-{number}" for number in range(16)]
_VALUE = {"step": 3, "done": ["one", "two"], "share": 0.5}

Call = Callable[[str], Awaitable[object]]


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Updates and reads against the one command that is the least for each; a change that is told against PUBLISH."""
    with (
        temporary_folder() as server,
        valkey(Path(server)) as url,
        temporary_folder() as one,
        temporary_folder() as two,
    ):
        settings = {"state": {"backend": "redis"}, "redis": {"url": url}}
        with (
            run_in(runner, one, "state", **settings) as writer,
            run_in(runner, two, "state", **settings) as reader,
        ):
            client = Redis.from_url(url)
            try:
                yield from _measured(runner, writer.state(), reader.state(), client)
            finally:
                runner.run(client.aclose())


def _measured(runner: asyncio.Runner, state: StateService, other: StateService, client: Redis) -> Iterator[Row]:
    scope, encode = Scope.run(uuid.uuid4(), uuid.uuid4()), msgspec.msgpack.Encoder().encode
    yield ratio(
        "state update in Redis",
        lambda: _timed(lambda key: state.set(scope, key, _VALUE)),
        lambda: _timed(lambda key: client.set(key, encode(_VALUE))),
        against="redis-py SET, without versions, limits and times",
        unit="µs",
        aim=Aim("≤", 4),
        runner=runner,
    )
    yield ratio(
        "state read from Redis",
        lambda: _timed(lambda key: state.get(scope, key)),
        lambda: _timed(lambda key: client.get(key)),
        against="redis-py GET",
        unit="µs",
        aim=Aim("≤", 2),
        runner=runner,
    )
    watched = Scope.run(uuid.uuid4(), uuid.uuid4())
    changes = runner.run(other.subscribe(watched, "key"))
    pubsub = client.pubsub()
    runner.run(pubsub.subscribe("channel"))
    yield ratio(
        "state change until another replica hears of it, Redis",
        lambda: _told(lambda: state.set(watched, "key", _VALUE), lambda: _change(changes)),
        lambda: _told(lambda: client.publish("channel", encode(_VALUE)), lambda: _message(pubsub)),
        against="redis-py PUBLISH, of which nothing is kept",
        unit="µs",
        aim=Aim("≤", 3),
        runner=runner,
    )
    runner.run(changes.aclose())
    runner.run(pubsub.aclose())


async def _timed(call: Call) -> float:
    """Microseconds a call."""
    begun = time.perf_counter()
    for number in range(_CALLS):
        await call(_KEYS[number & 15])
    return (time.perf_counter() - begun) / _CALLS * 1e6


async def _told(tell: Callable[[], Awaitable[object]], hear: Callable[[], Awaitable[object]]) -> float:
    """Microseconds from before it is told until it has been heard."""
    begun = time.perf_counter()
    for _ in range(_CALLS):
        heard = asyncio.ensure_future(hear())
        await tell()
        await heard
    return (time.perf_counter() - begun) / _CALLS * 1e6


async def _change(changes: Subscription) -> object:
    return await anext(changes)


async def _message(pubsub: Any) -> object:
    while (message := await pubsub.get_message(ignore_subscribe_messages=True, timeout=None)) is None:
        pass
    return message
