"""A started auth service on a database of the test's own, with hashing made cheap."""

from collections.abc import AsyncIterator, Awaitable, Callable
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
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"
CHEAP: dict[str, Any] = {"argon2_memory_kib": 8, "argon2_time_cost": 1}

MakeAuth = Callable[..., Awaitable[AuthService]]
Enter = Callable[[str, str], Awaitable[Principal]]


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

    async def make(
        *,
        replica: bool = False,
        policy: AuthorizationPolicy | None = None,
        redis: RedisEngine | None = None,
        **auth: Any,
    ) -> AuthService:
        policy = policy or OwnershipPolicy()
        settings = SettingsService(data_dir=tmp_path, secret_key=SECRET_KEY, auth=CHEAP | auth)
        own_database = build_database(settings, telemetry) if replica else database
        await own_database.start()
        service = build_auth(
            settings, telemetry, own_database, keyring, workers, http, policy, redis and (lambda: redis)
        )
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
