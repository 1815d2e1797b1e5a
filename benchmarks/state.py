"""Changing a value of the state of a run."""

import asyncio
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from bedplate.services.state import Scope
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_UPDATES = 20_000
_KEYS = [f"key-{number}" for number in range(16)]
_VALUE = {"step": 3, "done": ["one", "two"], "share": 0.5}


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Updates of a number against a locked dictionary by run and key; beside it, of a value that has to be copied."""
    with temporary_folder() as folder, run_in(runner, folder, "state") as container:
        state, scope = container.state(), Scope.run(uuid.uuid4(), uuid.uuid4())
        yield ratio(
            "state update",
            lambda: _timed(lambda key, value: state.set(scope, key, value), lambda number: number),
            lambda: _timed(_Locked(encode=False).set, lambda number: number),
            against="a dict of dicts under an asyncio.Lock",
            unit="ns",
            aim=Aim("≤", 3),
            runner=runner,
        )
        yield ratio(
            "state update of a value that is copied",
            lambda: _timed(lambda key, value: state.set(scope, key, value), lambda _number: _VALUE),
            lambda: _timed(_Locked(encode=True).set, lambda _number: _VALUE),
            against="msgspec encode into a dict of dicts under an asyncio.Lock",
            unit="ns",
            aim=None,
            runner=runner,
        )
        yield ratio(
            "state update, beside a thread lock",
            lambda: _timed(lambda key, value: state.set(scope, key, value), lambda number: number),
            lambda: _timed(_ThreadLocked().set, lambda number: number),
            against="an await over a dict of dicts under a threading.Lock",
            unit="ns",
            aim=None,
            runner=runner,
        )


class _Locked:
    """The least that can be called run-scoped, shared, asynchronous state."""

    def __init__(self, *, encode: bool) -> None:
        self._lock = asyncio.Lock()
        self._runs: dict[str, dict[str, Any]] = {}
        self._encode: Callable[[Any], Any] = msgspec.msgpack.Encoder().encode if encode else lambda value: value

    async def set(self, key: str, value: Any) -> None:
        async with self._lock:
            self._runs.setdefault("run", {})[key] = self._encode(value)


class _ThreadLocked:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, dict[str, Any]] = {}

    async def set(self, key: str, value: Any) -> None:
        with self._lock:
            self._runs.setdefault("run", {})[key] = value


async def _timed(update: Callable[[str, Any], Awaitable[object]], value: Callable[[int], Any]) -> float:
    """Nanoseconds an update."""
    begun = time.perf_counter_ns()
    for number in range(_UPDATES):
        await update(_KEYS[number & 15], value(number))
    return (time.perf_counter_ns() - begun) / _UPDATES
