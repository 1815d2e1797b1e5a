"""ALL-1, ALL-2: built without I/O, started and stopped any number of times, and nothing forgotten in between."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.auth import AuthService, Client, Credentials, OwnershipPolicy, TokenPair
from bedplate.services.auth.factory import build_auth
from bedplate.services.database.factory import build_database
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import ConfigurationError, UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import ends_cancelled


def build(settings: SettingsService) -> tuple[AuthService, list[Any]]:
    telemetry = TelemetryService(settings, Redactor(settings))
    database, keyring, workers = build_database(settings, telemetry), Keyring(settings), Workers()
    auth = build_auth(settings, telemetry, database, keyring, workers, HttpEngine(), OwnershipPolicy())
    return auth, [database, keyring, workers, auth]


async def test_a_login_outlives_a_restart_of_the_process(tmp_path: Path) -> None:
    """AUTH-2, AUTH-3: everything is built anew over the same data folder; sessions, keys and revocations are kept."""
    settings = SettingsService(profile="test", data_dir=tmp_path, auth={"sign_up": "open"})
    auth, services = build(settings)
    for service in services:
        await service.start()
    user = await auth.users.sign_up("alice", "wonderland")
    kept, ended = await auth.login("alice", "wonderland"), await auth.login("alice", "wonderland")
    await auth.logout(ended.access_token)
    key = await auth.api_keys.create(user.id)
    for service in reversed(services):
        await service.stop()

    auth, services = build(settings)
    for service in services:
        await service.start()
    assert (await auth.verify(Credentials(bearer=kept.access_token))).user.id == user.id
    assert (await auth.refresh(kept.refresh_token)).user.id == user.id
    assert (await auth.verify(Credentials(api_key=key.secret.get_secret_value()))).user.id == user.id
    with pytest.raises(Exception, match="Could not validate"):
        await auth.verify(Credentials(bearer=ended.access_token))
    for service in reversed(services):
        await service.stop()


def test_building_touches_nothing(tmp_path: Path) -> None:
    """ALL-1: no file, no thread, no loop."""
    build(SettingsService(profile="test", data_dir=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


async def test_before_the_start_every_call_says_so(tmp_path: Path) -> None:
    """ALL-3"""
    auth, _ = build(SettingsService(profile="test", data_dir=tmp_path))
    for attempt in (
        auth.login("a", "b"),
        auth.refresh("x"),
        auth.logout("x"),
        auth.verify(Credentials(bearer="x")),
        auth.verify(Credentials(api_key="x")),
        auth.verify(Credentials()),
        auth.open_cookie_session("a", "b"),
        auth.auto_login(Client()),
        auth.complete_setup("x", "a", "b"),
        auth.create_superuser("a", "b"),
        auth.setup_token(),
        auth.setup_needed(),
        auth.users.sign_up("a", "b"),
    ):
        with pytest.raises(UnavailableError, match="not started"):
            await attempt
    assert (await auth.health()).status is HealthStatus.DOWN


async def test_it_starts_and_stops_again_and_again_without_a_task_left(auth: AuthService, alice: TokenPair) -> None:
    """ALL-1"""
    tasks = len(asyncio.all_tasks())
    for _ in range(20):
        await asyncio.gather(auth.start(), auth.start())
        await auth.verify(Credentials(bearer=alice.access_token))
        await asyncio.gather(auth.stop(), auth.stop())
    assert len(asyncio.all_tasks()) == tasks - 3  # those of the fixture's start are gone, too


async def test_a_start_and_a_stop_cancelled_at_any_await_can_be_repeated(auth: AuthService, alice: TokenPair) -> None:
    """ALL-1"""
    for step in (auth.stop, auth.start):
        for number in range(1, 100):
            if not await ends_cancelled({number}, step()):
                break
            await auth.start()
            await auth.verify(Credentials(bearer=alice.access_token))
            if step == auth.start:
                await auth.stop()
        else:
            pytest.fail("it never ended by itself")
    running = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("bedplate-auth-")]
    assert sorted(running) == ["bedplate-auth-housekeeping", "bedplate-auth-signing-keys", "bedplate-auth-usage"]


async def test_it_is_up_even_before_there_is_a_superuser(auth: AuthService) -> None:
    """ALL-1, AUTH-6: a new installation is ready, or nobody could reach its /setup page."""
    assert await auth.setup_needed()
    health = await auth.health()
    assert (health.status, health.reason) == (HealthStatus.UP, None)


def test_an_unknown_backend_is_refused_by_name(tmp_path: Path) -> None:
    """ALL-2"""
    with pytest.raises(ConfigurationError, match="ldap"):
        build(SettingsService(profile="test", data_dir=tmp_path, auth={"backend": "ldap"}))
