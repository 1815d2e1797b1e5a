"""A started auth service on a database of the test's own, with hashing made cheap."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.auth import AuthService, Credentials, Principal, TokenPair
from bedplate.services.auth.factory import build_auth
from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"
CHEAP: dict[str, Any] = {"argon2_memory_kib": 8, "argon2_time_cost": 1}

MakeAuth = Callable[..., Awaitable[AuthService]]


@pytest.fixture
async def make_auth(
    tmp_path: Path, database: DatabaseService, keyring: Keyring, workers: Workers, telemetry: TelemetryService
) -> AsyncIterator[MakeAuth]:
    """Starts auth services with settings of the test's choice, on one database, and stops them at the end."""
    made: list[AuthService] = []

    async def make(**auth: Any) -> AuthService:
        settings = SettingsService(data_dir=tmp_path, secret_key=SECRET_KEY, auth=CHEAP | auth)
        service = build_auth(settings, TelemetryService(settings, Redactor(settings)), database, keyring, workers)
        await service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
async def auth(make_auth: MakeAuth) -> AuthService:
    return await make_auth(sign_up="open")


@pytest.fixture
async def root(auth: AuthService) -> Principal:
    """A superuser who is logged in."""
    await auth.create_superuser("root", "root's password")
    return await enter(auth, "root", "root's password")


@pytest.fixture
async def alice(auth: AuthService) -> TokenPair:
    """An ordinary user's tokens, fresh from the login."""
    await auth.users.sign_up("alice", "wonderland")
    return await auth.login("alice", "wonderland")


async def enter(auth: AuthService, username: str, password: str) -> Principal:
    pair = await auth.login(username, password)
    return await auth.verify(Credentials(bearer=pair.access_token))
