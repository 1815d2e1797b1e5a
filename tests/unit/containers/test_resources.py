"""Stock ``Resource`` providers, sync and async, in a subclass: they take part in the start and the stop."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from dependency_injector import providers, resources

from bedplate.containers import Provide, ServiceContainer, Singleton, State, inject
from bedplate.containers.errors import StartError, StopError

JOURNAL: list[str] = []


@pytest.fixture(autouse=True)
def events() -> list[str]:
    JOURNAL.clear()
    return JOURNAL


class Client:
    def __init__(self, base: object = None) -> None:
        self.base = base
        self.open = True

    def close(self) -> None:
        self.open = False


def sync_client(base: object = None) -> Iterator[Client]:
    JOURNAL.append("open sync")
    client = Client(base)
    yield client
    client.close()
    JOURNAL.append("close sync")


async def async_client(base: object = None) -> AsyncIterator[Client]:
    JOURNAL.append("open async")
    await asyncio.sleep(0)
    client = Client(base)
    yield client
    await asyncio.sleep(0)
    client.close()
    JOURNAL.append("close async")


async def coroutine_client() -> Client:
    await asyncio.sleep(0)
    return Client()


class ClassResource(resources.AsyncResource[Client]):
    async def init(self, *_args: object) -> Client:
        JOURNAL.append("open class")
        return Client()

    async def shutdown(self, resource: Client | None) -> None:
        assert resource is not None
        resource.close()
        JOURNAL.append("close class")


class User:
    def __init__(self, client: Client) -> None:
        self.client = client


class Container(ServiceContainer):
    sync = providers.Resource(sync_client)
    asynchronous = providers.Resource(async_client, sync)
    user = Singleton(User, asynchronous)
    made = providers.Factory(User, asynchronous)


@pytest.mark.parametrize("resource", [sync_client, async_client], ids=["sync", "async"])
async def test_a_stock_resource_in_a_subclass(resource: Any) -> None:
    """Design card: an async and a sync stock ``Resource``: their init and shutdown stand for start and stop."""

    class App(ServiceContainer):
        client = providers.Resource(resource)
        user = Singleton(User, client)

    container = App()
    async with container.running():
        assert container.client().open
        assert container.user().client is container.client()
        assert container.report["client"].state is State.STARTED
        client = container.client()
    assert not client.open
    assert container.report["client"].state is State.STOPPED


async def test_what_depends_on_an_async_resource_is_a_plain_object() -> None:
    """Stock providers answer with futures from then on, for good."""
    container = Container()
    async with container.running():
        for provider in (container.asynchronous, container.user, container.made):
            value = provider()
            assert not inspect.isawaitable(value)
        assert isinstance(container.user().client, Client)
        assert isinstance(container.made().client.base, Client)
    assert JOURNAL == ["open sync", "open async", "close async", "close sync"]


async def test_an_async_resource_is_injected_as_a_plain_object() -> None:
    @inject
    def sync(client: Annotated[Client, Provide["asynchronous"]]) -> Client:
        return client

    @inject
    async def coroutine(user: Annotated[User, Provide["user"]]) -> User:
        return user

    container = Container()
    container.wire(modules=[__name__])
    async with container.running():
        assert sync().open
        assert (await coroutine()).client is sync()
    container.unwire()


async def test_other_forms_of_async_providers() -> None:
    class App(ServiceContainer):
        coroutine = providers.Resource(coroutine_client)
        of_class = providers.Resource(ClassResource)
        singleton = Singleton(coroutine_client)
        user = Singleton(User, singleton)

    container = App()
    async with container.running():
        assert container.coroutine().open
        client = container.of_class()
        assert client.open
        assert container.user().client is container.singleton()
    assert not client.open
    assert JOURNAL == ["open class", "close class"]


async def test_what_was_asked_for_before_the_start_is_a_plain_object_after_it() -> None:
    container = Container()
    early: Any = container.user()
    assert inspect.isawaitable(early)
    async with container.running():
        assert isinstance(container.user(), User)
        assert isinstance(container.user().client, Client)
        assert await early is container.user()


async def test_a_restart_opens_resources_again_and_rebuilds_what_holds_them() -> None:
    container = Container()
    async with container.running():
        first = container.user()
    async with container.running():
        second = container.user()
        assert second.client.open
        assert second.client is container.asynchronous()
    assert first is not second
    assert JOURNAL == ["open sync", "open async", "close async", "close sync"] * 2


async def test_a_resource_that_fails_to_open_undoes_the_start() -> None:
    async def refused(base: object) -> AsyncIterator[Client]:
        raise OSError("refused")
        yield Client()

    class App(Container):
        broken = providers.Resource(refused, Container.asynchronous)

    container = App()
    with pytest.raises(StartError, match="broken: OSError: refused"):
        await container.init_resources()
    assert JOURNAL == ["open sync", "open async", "close async", "close sync"]


async def test_a_resource_that_fails_to_close_does_not_keep_the_others_open() -> None:
    """Stock ``shutdown_resources()`` ends at the first error."""

    def busy(base: object) -> Iterator[Client]:
        yield Client()
        raise OSError("still busy")

    class App(Container):
        broken = providers.Resource(busy, Container.asynchronous)

    container = App()
    await container.init_resources()
    with pytest.raises(StopError, match="broken: OSError: still busy"):
        await container.shutdown_resources()
    assert JOURNAL == ["open sync", "open async", "close async", "close sync"]


async def test_a_cancelled_start_closes_a_resource_that_is_being_opened() -> None:
    async def never() -> AsyncIterator[Client]:
        try:
            await asyncio.Event().wait()
            yield Client()
        finally:
            JOURNAL.append("close slow")

    class App(ServiceContainer):
        slow = providers.Resource(never)

    container = App()
    start = asyncio.ensure_future(container.init_resources())
    for _ in range(5):
        await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert JOURNAL == ["close slow"]
    assert not container.started


async def test_a_kind_of_resource_can_be_started_alone() -> None:
    """As dependency-injector's own lifespan for Starlette asks for it."""

    class Special(providers.Resource):  # type: ignore[type-arg]
        pass

    class App(Container):
        special = Special(sync_client)

    container = App()
    await container.init_resources(Special)
    assert [one.name for one in container.report.services if one.state is State.STARTED] == ["special"]
    await container.shutdown_resources(Special)
    assert JOURNAL == ["open sync", "close sync"]
