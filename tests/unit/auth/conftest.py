"""A started auth service on a database of the test's own, with hashing made cheap."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.auth import AuthorizationPolicy, AuthService, Credentials, OwnershipPolicy, Principal, TokenPair
from bedplate.services.auth.errors import InvalidTokenError
from bedplate.services.auth.factory import build_auth
from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.database.factory import build_database
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"
CHEAP: dict[str, Any] = {"argon2_memory_kib": 8, "argon2_time_cost": 1}

MakeAuth = Callable[..., Awaitable[AuthService]]
Enter = Callable[[str, str], Awaitable[Principal]]
CancelledAt = Callable[[int, Coroutine[Any, Any, Any]], Awaitable[bool]]


@pytest.fixture
async def http() -> AsyncIterator[HttpEngine]:
    engine = HttpEngine()
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def make_auth(
    tmp_path: Path,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    telemetry: TelemetryService,
    http: HttpEngine,
) -> AsyncIterator[MakeAuth]:
    """Starts auth services with settings of the test's choice, on one database, and stops them at the end.

    A replica has connections of its own, as another process would: nothing but the database file is shared.
    """
    made: list[Service] = []

    async def make(*, replica: bool = False, policy: AuthorizationPolicy | None = None, **auth: Any) -> AuthService:
        policy = policy or OwnershipPolicy()
        settings = SettingsService(data_dir=tmp_path, secret_key=SECRET_KEY, auth=CHEAP | auth)
        own_database = build_database(settings, telemetry) if replica else database
        await own_database.start()
        service = build_auth(settings, telemetry, own_database, keyring, workers, http, policy)
        made.extend([service, own_database])
        await service.start()
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
async def auth(make_auth: MakeAuth) -> AuthService:
    return await make_auth(sign_up="open")


@pytest.fixture
def enter(auth: AuthService) -> Enter:
    """Logs in and verifies: from name and password to the principal."""

    async def enter(username: str, password: str) -> Principal:
        pair = await auth.login(username, password)
        return await auth.verify(Credentials(bearer=pair.access_token))

    return enter


@pytest.fixture
async def root(auth: AuthService, enter: Enter) -> Principal:
    """A superuser who is logged in."""
    await auth.create_superuser("root", "root's password")
    return await enter("root", "root's password")


@pytest.fixture
async def alice(auth: AuthService) -> TokenPair:
    """An ordinary user's tokens, fresh from the login."""
    await auth.users.sign_up("alice", "wonderland")
    return await auth.login("alice", "wonderland")


@pytest.fixture
def alive(auth: AuthService) -> Callable[[TokenPair], Awaitable[bool]]:
    """Tells whether an access token is still good."""

    async def alive(pair: TokenPair) -> bool:
        try:
            await auth.verify(Credentials(bearer=pair.access_token))
        except InvalidTokenError:
            return False
        return True

    return alive


@pytest.fixture
def cancelled_at() -> CancelledAt:
    """Runs a coroutine as a task that is cancelled while it waits for the n-th time; False if it ended before."""

    async def cancelled_at(await_number: int, coroutine: Coroutine[Any, Any, Any]) -> bool:
        task = asyncio.create_task(_Interrupted(coroutine, await_number).run())
        await asyncio.wait([task])
        if task.cancelled():
            return True
        task.result()
        return False

    return cancelled_at


class _Interrupted:
    def __init__(self, coroutine: Coroutine[Any, Any, Any], await_number: int) -> None:
        self._coroutine = coroutine
        self._await_number = await_number

    async def run(self) -> Any:
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        waits = 0
        resume = functools.partial(self._coroutine.send, None)
        while True:
            try:
                future = resume()
            except StopIteration as stop:
                return stop.value
            waits += 1
            if waits == self._await_number:
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield future
            except BaseException as error:
                resume = functools.partial(self._coroutine.throw, error)
            else:
                resume = functools.partial(self._coroutine.send, None)
