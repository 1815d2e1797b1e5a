"""An authenticated request that reads the database, in process."""

import asyncio
import time
from collections.abc import Iterator

from fastapi import FastAPI

from bedplate.containers import ApplicationContainer
from bedplate.wiring.http import create_app
from benchmarks.asgi import Call
from benchmarks.harness import Aim, Row, ratio
from benchmarks.peers.minimal_app import Account, LoginSession, make_token
from benchmarks.peers.minimal_app import create_app as create_minimal_app
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_REQUESTS = 300


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """``whoami`` with a bearer token over SQLite."""
    with temporary_folder() as folder, run_in(runner, folder) as container:
        ours = create_app(container)
        minimal = create_minimal_app(f"sqlite+aiosqlite:///{folder}/minimal.db")
        contexts = [app.router.lifespan_context(app) for app in (ours, minimal)]
        for context in contexts:
            runner.run(context.__aenter__())
        bearer = runner.run(_our_token(container))
        peer = runner.run(_minimal_token(minimal))
        yield ratio(
            "authenticated whoami over SQLite",
            lambda: _timed(Call(ours, "/api/v1/users/whoami", bearer)),
            lambda: _timed(Call(minimal, "/whoami", peer)),
            against="minimal FastAPI + SQLModel application with the same check",
            unit="µs",
            aim=Aim("≤", 1.3),
            runner=runner,
        )
        for context in reversed(contexts):
            runner.run(context.__aexit__(None, None, None))


async def _our_token(container: ApplicationContainer) -> str:
    await container.auth().create_superuser("ada", "a password")
    return (await container.auth().login("ada", "a password")).access_token


async def _minimal_token(app: FastAPI) -> str:
    from sqlmodel.ext.asyncio.session import AsyncSession

    account = Account(username="ada")
    session = LoginSession(account_id=account.id)
    token = make_token(account.id, session.id)
    async with AsyncSession(app.state.engine) as database:
        database.add(account)
        await database.flush()
        database.add(session)
        await database.commit()
    return token


async def _timed(call: Call) -> float:
    """Microseconds a request."""
    begun = time.perf_counter()
    for _ in range(_REQUESTS):
        assert await call() == 200
    return (time.perf_counter() - begun) / _REQUESTS * 1e6
