"""The shape of every service: start and stop twice, at once, again, and cancelled at every await."""

import asyncio
from typing import Any

import pytest

from bedplate.services.base import Service
from bedplate.services.errors import UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.schema import ServiceType


class Opens(Service):
    """Opens one thing after another, with an await between, and closes them in reverse."""

    type = ServiceType.CACHE

    def __init__(self) -> None:
        self.open: list[str] = []
        self.starts = 0
        self.fails_in: str | None = None

    async def _start(self) -> None:
        self.starts += 1
        for name in ("file", "connection", "task"):
            await asyncio.sleep(0)
            self.open.append(name)
        if self.fails_in == "start":
            raise OSError("no such host")

    async def _stop(self) -> None:
        while self.open:
            await asyncio.sleep(0)
            self.open.pop()
        if self.fails_in:
            raise ValueError("cannot close")


async def test_start_and_stop_may_be_called_twice_at_once_and_again() -> None:
    """ALL-1"""
    service = Opens()
    await service.stop()
    await asyncio.gather(service.start(), service.start())
    await service.start()
    assert service.started
    assert service.starts == 1
    assert len(service.open) == 3
    await asyncio.gather(service.stop(), service.stop())
    assert not service.started
    assert service.open == []
    await service.start()
    assert service.started
    await service.stop()


async def cancel_after(steps: int, coroutine: Any) -> bool:
    task = asyncio.ensure_future(coroutine)
    for _ in range(steps):
        await asyncio.sleep(0)
    if task.done():
        await task
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


async def test_a_start_that_is_cancelled_at_any_await_leaves_nothing_open() -> None:
    """ALL-1"""
    steps = 1
    service = Opens()
    while await cancel_after(steps, service.start()):
        assert not service.started
        assert service.open == []
        steps += 1
    assert service.started
    assert steps > 3


async def test_a_stop_that_is_cancelled_at_any_await_is_finished_by_the_next() -> None:
    """ALL-1"""
    for following in ("stop", "start"):
        steps = 1
        while True:
            service = Opens()
            await service.start()
            if not await cancel_after(steps, service.stop()):
                break
            assert not service.started
            await getattr(service, following)()
            assert len(service.open) == (3 if following == "start" else 0)
            steps += 1
        assert steps > 3


async def test_a_start_that_fails_undoes_what_it_did_and_keeps_its_error() -> None:
    service = Opens()
    service.fails_in = "start"
    with pytest.raises(OSError, match="no such host") as error:
        await service.start()
    assert error.value.__notes__ == ["undoing the start failed too: ValueError"]
    assert service.open == []
    assert not service.started
    service.fails_in = None
    await service.start()
    assert service.started
    await service.stop()


async def test_a_stop_that_fails_is_over() -> None:
    service = Opens()
    await service.start()
    service.fails_in = "stop"
    with pytest.raises(ValueError, match="cannot close"):
        await service.stop()
    assert not service.started
    await service.stop()
    service.fails_in = None
    await service.start()
    assert service.started
    await service.stop()


def test_a_service_may_be_started_in_one_loop_after_another() -> None:
    service = Opens()

    async def contended() -> None:
        await asyncio.gather(service.start(), service.start())
        await asyncio.gather(service.stop(), service.stop())

    for _ in range(2):
        asyncio.run(contended())
    assert service.starts == 2


async def test_health_has_a_status_a_reason_and_a_latency_in_ms() -> None:
    """ALL-1"""
    service = Opens()
    health = await service.health()
    assert (health.status, health.reason) == (HealthStatus.DOWN, "not started")
    await service.start()
    health = await service.health()
    assert (health.status, health.reason) == (HealthStatus.UP, None)
    assert health.latency_ms > 0
    await service.stop()


async def test_health_never_shows_the_text_of_a_foreign_error() -> None:
    """ALL-3"""

    class Leaky(Service):
        async def _check(self) -> str | None:
            raise OSError("postgres://app:hunter2@db")

    service = Leaky()
    await service.start()
    health = await service.health()
    assert (health.status, health.reason) == (HealthStatus.DOWN, "OSError")
    await service.stop()


async def test_use_of_a_service_that_is_not_started_says_what_to_do() -> None:
    with pytest.raises(UnavailableError, match=r"cache: the service is not started\. Fix: start its container first"):
        Opens()._require_started()
