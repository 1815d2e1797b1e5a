"""Starting and stopping the same container again and again."""

import asyncio
import gc
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, ServiceContainer, Singleton
from bedplate.services.base import Service
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.leftovers import open_files


@pytest.fixture
def application(tmp_path: Path) -> ApplicationContainer:
    settings = {"profile": "test", "data_dir": tmp_path, "secret_key": "a-secret-key-of-the-tests-0123456789abcdef"}
    return ApplicationContainer(settings=Singleton(SettingsService, **settings))


async def test_20_restarts_leave_no_task_thread_file_or_warning(application: ApplicationContainer) -> None:
    """The whole application on embedded defaults."""
    async with application.running():
        database = application.database()
    before: tuple[int, int, int] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for round_ in range(20):
            async with application.running():
                assert application.database() is database
                assert (await application.health()).status == "up"
            gc.collect()
            now = len(asyncio.all_tasks()), threading.active_count(), open_files()
            if round_ == 1:
                before = now
    assert now == before


def test_a_container_may_be_started_in_one_loop_after_another(application: ApplicationContainer) -> None:
    async def once() -> None:
        async with application.running():
            starts = (application.init_resources(), application.init_resources())
            await asyncio.gather(*starts)
            assert (await application.health()).status == "up"

    for _ in range(3):
        asyncio.run(once())


class Needs:
    def __init__(self, cache: object) -> None:
        self.cache = cache


async def test_a_restart_sees_an_override_that_has_come_or_gone() -> None:
    """A singleton of the run before would go on with what it was given then."""

    class Container(ServiceContainer):
        cache = Singleton(Service)
        user = Singleton(Needs, cache)
        top = Singleton(Needs, user)
        other = Singleton(Service)

    container = Container()

    async def run() -> tuple[Any, Any, Any]:
        async with container.running():
            assert container.top().cache is container.user()
            assert container.user().cache is container.cache()
            return container.cache(), container.top(), container.other()

    first = await run()
    assert await run() == first
    with container.cache.override(Singleton(Service)):
        second = await run()
    assert [one is other for one, other in zip(first, second, strict=True)] == [False, False, True]
    third = await run()
    assert [one is other for one, other in zip(first, third, strict=True)] == [True, False, True]


async def test_containers_share_nothing() -> None:
    """No global registry: each container is a world of its own."""

    class Counting(Service):
        pass

    class Container(ServiceContainer):
        service = Singleton(Counting)

    one, other = Container(), Container()
    async with one.running():
        assert one.service() is not other.service()
        assert not other.started
        assert not other.service().started
