"""The health of a container: all services at once, each within its time."""

import asyncio
from typing import Any

import pytest
from dependency_injector import providers

from bedplate.containers import ServiceContainer, Singleton
from bedplate.services.base import Service
from bedplate.services.errors import UnavailableError
from bedplate.services.health import Health, HealthStatus
from bedplate.services.settings import SettingsService

UP, DEGRADED, DOWN = HealthStatus.UP, HealthStatus.DEGRADED, HealthStatus.DOWN


class Checked(Service):
    def __init__(self, answer: str | BaseException | None = None) -> None:
        self.answer = answer

    async def _check(self) -> str | None:
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer == "hang":
            await asyncio.Event().wait()
        return self.answer


class Container(ServiceContainer):
    settings = Singleton(SettingsService, profile="test", server={"health_timeout": 0.05})
    database = Singleton(Checked)
    cache = Singleton(Checked)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (None, UP, None),
        ("slow disk", DEGRADED, "slow disk"),
        (UnavailableError("no connection", service="database"), DOWN, "database: no connection"),
        (OSError("postgres://app:hunter2@db"), DOWN, "OSError"),
        ("hang", DOWN, "no answer within 0.05 s"),
    ],
)
async def test_the_worst_required_service_decides(answer: Any, status: HealthStatus, reason: str | None) -> None:
    """ALL-1"""
    container = Container(database=Singleton(Checked, providers.Object(answer)))
    async with container.running():
        health = await container.health()
    assert health.status is status
    assert health.services["database"].status is status
    assert health.services["database"].reason == reason
    assert health.services["cache"].status is UP


async def test_a_service_that_hangs_does_not_keep_the_others_waiting() -> None:
    """All are asked at once: two that hang cost one timeout, and the rest have answered."""
    hanging = {name: Singleton(Checked, "hang") for name in ("database", "cache")}
    async with Container(**hanging).running() as container:
        health = await container.health()
    assert [one.status for one in health.services.values()] == [UP, DOWN, DOWN]


async def test_an_optional_service_that_is_down_degrades() -> None:
    settings = {"profile": "test", "cache": {"required": False, "backend": "memory"}}
    container = Container(
        settings=Singleton(SettingsService, **settings), cache=Singleton(Checked, UnavailableError("gone"))
    )
    async with container.running():
        health = await container.health()
    assert health.status is DEGRADED
    assert health.services["cache"].status is DOWN


async def test_an_optional_service_that_did_not_start_degrades(recorder: Any, journal: list[str]) -> None:
    settings = {"profile": "test", "cache": {"required": False, "backend": "memory"}}
    broken = Singleton(recorder, "cache", journal, fails="start")
    container = Container(settings=Singleton(SettingsService, **settings), cache=broken)
    async with container.running():
        health = await container.health()
    assert health.status is DEGRADED
    assert health.services["cache"].reason == "RuntimeError: cache is broken"


async def test_a_container_that_is_not_started_is_down() -> None:
    container = Container()
    assert (await container.health()).status is DOWN
    async with container.running():
        assert (await container.health()).status is UP
    assert (await container.health()).status is DOWN


async def test_what_has_no_health_of_its_own_is_up_and_a_foreign_error_is_down() -> None:
    class Foreign:
        async def health(self) -> Health:
            raise ValueError("secret")

    container = Container(database=Singleton(dict), cache=Singleton(Foreign))
    async with container.running():
        health = await container.health()
    assert health.services["database"].status is UP
    assert health.services["cache"].reason == "ValueError"
