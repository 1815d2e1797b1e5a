"""The current container: initialize_services, teardown_services and the ASGI lifespan."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from dependency_injector.ext.starlette import Lifespan

from bedplate.containers import ApplicationContainer, ServiceContainer, Singleton
from bedplate.containers.errors import AlreadyWiredError, NotWiredError, StartError, UnknownServiceError
from bedplate.services.base import Service
from bedplate.services.settings import SettingsService
from bedplate.wiring import deps
from bedplate.wiring.lifespan import current_container, initialize_services, lifespan, teardown_services


class Thing(Service):
    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken

    async def _start(self) -> None:
        if self.broken:
            raise OSError("broken")


class Container(ServiceContainer):
    thing = Singleton(Thing)


@pytest.fixture(autouse=True)
async def no_current_container_is_left() -> AsyncIterator[None]:
    yield
    await teardown_services()


async def test_initialize_makes_a_container_current_and_teardown_stops_it() -> None:
    container = Container()
    assert await initialize_services(container) is container
    assert current_container() is container
    assert deps.get_service("thing").started
    await teardown_services()
    assert not container.started
    with pytest.raises(NotWiredError, match="call await initialize_services"):
        current_container()
    await teardown_services()


async def test_after_teardown_nothing_is_brought_back_to_life() -> None:
    """Asking for a service after the teardown used to build everything anew."""
    container = Container()
    await initialize_services(container)
    thing = container.thing()
    await teardown_services()
    with pytest.raises(NotWiredError):
        deps.get_service("thing")
    assert not thing.started
    await initialize_services(container)
    assert deps.get_service("thing") is thing


async def test_initialize_without_a_container_makes_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BEDPLATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BEDPLATE_PROFILE", "test")
    container = await initialize_services()
    assert container.declarative_parent is ApplicationContainer
    assert await initialize_services() is container
    assert deps.get_db_service() is container.get("database")


async def test_a_second_running_container_is_an_error_that_says_so() -> None:
    await initialize_services(Container())
    with pytest.raises(AlreadyWiredError, match="another running container is current"):
        await initialize_services(Container())


async def test_a_container_that_fails_to_start_is_not_current() -> None:
    with pytest.raises(StartError, match="thing: OSError: broken"):
        await initialize_services(Container(thing=Singleton(Thing, broken=True)))
    with pytest.raises(NotWiredError):
        current_container()


async def test_a_service_that_is_not_there_is_named() -> None:
    await initialize_services(Container())
    with pytest.raises(UnknownServiceError, match=r"no service 'other'.*thing"):
        deps.get_service("other")


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is frozen, whatever the run of the tests has frozen."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("thawed")
async def test_the_lifespan_starts_stops_and_spares_the_garbage_collector() -> None:
    container = Container()
    async with lifespan(container)(object()):
        assert current_container() is container
        assert container.thing().started
        assert gc.get_freeze_count()
    assert not container.started
    assert not gc.get_freeze_count()


class Configured(Container):
    settings = Singleton(SettingsService, profile="test", server={"gc_freeze": False})


@pytest.mark.usefixtures("thawed")
async def test_the_lifespan_may_leave_the_garbage_collector_alone() -> None:
    async with lifespan(Configured())(object()):
        assert not gc.get_freeze_count()


async def test_the_lifespan_leaves_a_container_running_that_ran_before() -> None:
    container = Container()
    await initialize_services(container)
    async with lifespan(container)(object()):
        pass
    assert container.started
    assert current_container() is container


async def test_the_lifespan_of_dependency_injector_works_as_well() -> None:
    container: Any = Container()
    async with asyncio.timeout(10):
        handler = Lifespan(container)
        await handler(object()).__aenter__()
        assert container.thing().started
        await handler.__aexit__()
    assert not container.started


async def test_the_lifespan_stops_what_runs_when_it_is_cancelled() -> None:
    container = Container()
    entered = asyncio.Event()

    async def serve() -> None:
        async with lifespan(container)(object()):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not container.started
    assert not container.thing().started
