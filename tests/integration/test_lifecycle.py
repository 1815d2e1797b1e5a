"""Start, stop, restart, cancellation and failure of every service of the application, one by one and together.

Whatever stands in the container is covered, services of the sixteen and the engines that they share alike.
"""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, Report, Singleton, State
from bedplate.containers.errors import StartError, StopError
from bedplate.services.base import Service
from bedplate.services.errors import UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.database import copy_database
from bedplate.wiring.testing.leftovers import open_files


def _names() -> list[str]:
    container = ApplicationContainer()
    # Not the engines of backends that are not chosen.
    planned = {record.name for record in container.report.services if record.state is not State.NOT_NEEDED}
    return [name for name in container.providers if name in planned and isinstance(container.get(name), Service)]


NAMES = _names()


class Broken(Exception):  # noqa: N818 - what a library might raise
    """A failure with a secret in its text."""


@pytest.fixture
def make(tmp_path: Path, migrated_database: Path) -> Callable[[], ApplicationContainer]:
    """Makes containers over the same data."""
    settings = {"profile": "test", "data_dir": tmp_path, "secret_key": "a-secret-key-of-the-tests-0123456789abcdef"}
    copy_database(migrated_database, tmp_path)
    return lambda: ApplicationContainer(settings=Singleton(SettingsService, **settings))


@pytest.fixture
def container(make: Callable[[], ApplicationContainer]) -> Iterator[ApplicationContainer]:
    """A container that is not started, and that must leave nothing behind."""
    threads = threading.active_count()
    made = make()
    yield made
    assert not made.started
    assert not [name for name in NAMES if made.get(name).started]
    assert threading.active_count() == threads


def _started(report: Report) -> set[str]:
    return {record.name for record in report.services if record.state is State.STARTED}


def _needs(report: Report, name: str) -> set[str]:
    """The service and, by the plan, whatever it needs."""
    found, asked = set[str](), [name]
    while asked:
        one = asked.pop()
        found.add(one)
        asked += [need for need in report[one].needs if need not in found]
    return found


def _tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]  # a test runs in a task


class Held:
    """A hook of a service that waits until it is let go.

    Args:
        service: The service.
        hook: ``_start`` or ``_stop``.
    """

    def __init__(self, service: Service, hook: str) -> None:
        self.entered = asyncio.Event()
        self.free = asyncio.Event()
        self._really = getattr(service, hook)
        setattr(service, hook, self._hold)

    async def _hold(self) -> None:
        self.entered.set()
        await self.free.wait()
        await self._really()


@pytest.mark.parametrize("name", NAMES)
async def test_each_one_starts_alone_with_what_it_needs(container: ApplicationContainer, name: str) -> None:
    """ALL-1: a partial boot starts nothing else, and can be repeated."""
    for _ in range(2):
        async with container.running(name):
            report = container.report
            assert _started(report) == _needs(report, name)
            health = await container.health()
            assert set(health.services) == _started(report)
            assert {each.status for each in health.services.values()} == {HealthStatus.UP}, health
            assert container.get(name).started
        assert not _tasks()


@pytest.mark.parametrize("name", NAMES)
async def test_each_one_tells_its_health(container: ApplicationContainer, name: str) -> None:
    """ALL-1: up with a latency while started, down before and after, and with a reason when something is wrong."""
    service = container.get(name)
    assert (await service.health()).status is HealthStatus.DOWN
    async with container.running(name):
        up = await service.health()
        assert (up.status, up.reason) == (HealthStatus.UP, None)
        assert up.latency_ms >= 0
        for error, reason in ((UnavailableError("gone"), "gone"), (Broken("a secret"), "Broken")):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(service, "_check", _raising(error))
                health = await container.health()
            told = health.services[name]
            assert (told.status, told.reason) == (HealthStatus.DOWN, reason)
            assert health.status is HealthStatus.DOWN
    assert (await service.health()).status is HealthStatus.DOWN


def _raising(error: Exception) -> Callable[[], Any]:
    async def hook() -> None:
        raise error

    return hook


@pytest.mark.parametrize("name", NAMES)
async def test_a_start_cancelled_at_any_await_is_undone(container: ApplicationContainer, name: str) -> None:
    """ALL-1: and can be repeated, with nothing of the one before in its way."""
    service = container.get(name)
    async with container.running(name):
        await service.stop()
        tasks, files = _tasks(), open_files()

        async def after(cancelled: bool) -> None:
            assert service.started is not cancelled
            if cancelled:
                assert _tasks() == tasks
                assert (await service.health()).status is HealthStatus.DOWN

        await cancel_at_every_await(service.start, after)
        assert (await service.health()).status is HealthStatus.UP
        await service.stop()
        gc.collect()
        assert _tasks() == tasks
        assert open_files() <= files  # fewer, if an earlier test had left some to the collector
        await service.start()


@pytest.mark.parametrize("name", NAMES)
async def test_a_stop_cancelled_at_any_await_is_finished_by_the_next(
    container: ApplicationContainer, name: str
) -> None:
    """ALL-1: or by the next start."""
    service = container.get(name)
    async with container.running(name):
        await service.stop()
        tasks, files = _tasks(), open_files()
        await service.start()
        rounds = 0

        async def after(_cancelled: bool) -> None:
            nonlocal rounds
            rounds += 1
            assert not service.started
            if rounds % 2:
                await service.stop()
            await service.start()
            assert (await service.health()).status is HealthStatus.UP

        await cancel_at_every_await(service.stop, after)
        await service.stop()
        gc.collect()
        assert _tasks() == tasks
        assert open_files() <= files  # fewer, if an earlier test had left some to the collector
        await service.start()


@pytest.mark.parametrize("name", NAMES)
async def test_a_start_of_all_that_is_cancelled_in_the_middle_of_one_is_undone(
    container: ApplicationContainer, name: str
) -> None:
    """ALL-1: whichever is starting then; the caller leaves when what had started is stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container.get(name), "_start", container.get(name)._start)
        held = Held(container.get(name), "_start")
        starting = asyncio.ensure_future(container.init_resources())
        await held.entered.wait()
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
    assert not container.started
    assert not _tasks()
    async with container.running():
        assert (await container.health()).status is HealthStatus.UP


@pytest.mark.parametrize("name", NAMES)
async def test_a_stop_of_all_that_is_cancelled_in_the_middle_of_one_goes_on_to_its_end(
    container: ApplicationContainer, name: str
) -> None:
    """ALL-1: the caller leaves when all is stopped."""
    await container.init_resources()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container.get(name), "_stop", container.get(name)._stop)
        held = Held(container.get(name), "_stop")
        stopping = asyncio.ensure_future(container.shutdown_resources())
        await held.entered.wait()
        stopping.cancel()
        await asyncio.sleep(0)
        assert not stopping.done()
        held.free.set()
        await asyncio.wait([stopping])
        assert stopping.cancelled()
    assert not container.started
    assert not _tasks()


@pytest.mark.parametrize("name", NAMES)
async def test_when_one_does_not_start_none_is_left_running(container: ApplicationContainer, name: str) -> None:
    """ALL-1: one error names it, and why; repaired, the same container starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(container.get(name), "_start", _raising(Broken("at the start")))
        with pytest.raises(StartError, match=name) as caught:
            await container.init_resources()
    assert list(caught.value.failures) == [name]
    assert isinstance(caught.value.failures[name], Broken)
    assert not container.started
    assert not _tasks()
    async with container.running():
        assert (await container.health()).status is HealthStatus.UP


@pytest.mark.parametrize("name", NAMES)
async def test_when_one_does_not_stop_all_the_others_do(container: ApplicationContainer, name: str) -> None:
    """ALL-1: one error names it, and why."""
    await container.init_resources()
    service = container.get(name)
    really = service._stop

    async def stop() -> None:
        await really()
        raise Broken("at the stop")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "_stop", stop)
        with pytest.raises(StopError, match=name) as caught:
            await container.shutdown_resources()
    assert list(caught.value.failures) == [name]
    assert not container.started
    assert not _tasks()


async def test_all_sixteen_in_the_order_of_their_needs(container: ApplicationContainer) -> None:
    """ALL-1: what needs something starts after it."""
    assert set(ServiceType) <= set(NAMES)
    async with container.running():
        report = container.report
        assert set(NAMES) <= _started(report)
        order = [record.name for record in report.services]
        for record in report.services:
            assert all(order.index(need) < order.index(record.name) for need in record.needs)
        assert (await container.health()).status is HealthStatus.UP
