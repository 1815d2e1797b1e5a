"""What injected services cost an endpoint."""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import anyio.to_thread
from fastapi import FastAPI

from bedplate.containers import ApplicationContainer
from bedplate.wiring import Auth, Cache, Database, Telemetry, Variables, inject
from benchmarks.asgi import Call
from benchmarks.harness import Aim, Row, absolute, ratio

__all__ = ["rows"]

_REQUESTS = 2_000
_ANSWER = {"ok": True}

app = FastAPI()


@app.get("/bare")
async def bare() -> dict[str, bool]:
    return _ANSWER


@app.get("/one")
@inject
async def one(database: Database) -> dict[str, bool]:
    return _ANSWER


@app.get("/five")
@inject
async def five(
    database: Database, cache: Cache, auth: Auth, variables: Variables, telemetry: Telemetry
) -> dict[str, bool]:
    return _ANSWER


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """An endpoint with one and with five injected services against a bare one, and the threadpool hops of both."""
    container = ApplicationContainer()
    container.wire(modules=[sys.modules[__name__]])
    for path, bound in (("/one", 1.05), ("/five", 1.10)):
        yield ratio(
            f"endpoint with {path[1:]} injected service{'s' if bound > 1.05 else ''}",
            lambda path=path: _timed(Call(app, path)),  # type: ignore[misc]  # a lambda's default has no annotation
            lambda: _timed(Call(app, "/bare")),
            against="the same endpoint bare",
            unit="µs",
            aim=Aim("≤", bound),
            runner=runner,
            rounds=25,
        )
    yield absolute(
        "threadpool hops of an endpoint with five injected services",
        _hops,
        unit="hops",
        aim=Aim("=", 0),
        runner=runner,
        rounds=3,
    )
    container.unwire()


async def _timed(call: Call) -> float:
    begun = time.perf_counter()
    for _ in range(_REQUESTS):
        await call()
    return (time.perf_counter() - begun) / _REQUESTS * 1e6


async def _hops() -> float:
    hops = 0
    real = anyio.to_thread.run_sync

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal hops
        hops += 1
        return await real(*arguments, **options)

    anyio.to_thread.run_sync = counted
    try:
        await Call(app, "/five")()
    finally:
        anyio.to_thread.run_sync = real
    return hops
