"""The one wrapper around the public operations of services."""

import asyncio
import contextlib
import importlib
import inspect
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from dependency_injector.providers import Object, Singleton

from bedplate.containers import ApplicationContainer
from bedplate.services.base import Service
from bedplate.services.cache import CacheService
from bedplate.services.errors import NotFoundError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import OperationStats, TelemetryService
from bedplate.services.telemetry.instrumentation import Instrumentation
from bedplate.services.telemetry.operations import OperationTable


class Part:
    async def fetch(self, key: str) -> str:
        return key


class Shop(Service):
    """A service of an application."""

    part_names = ("part",)
    uncounted = frozenset({"hot"})

    def __init__(self) -> None:
        self.part = Part()
        self.closed = 0

    async def order(self, number: int, *, kind: str = "retail") -> int:
        """Take an order."""
        return number

    async def fail(self, error: BaseException) -> None:
        raise error

    async def hang(self) -> None:
        await asyncio.Event().wait()

    def look(self) -> str:
        return "a look"

    def hot(self) -> None:
        pass

    async def stream(self, count: int) -> AsyncGenerator[int, str]:
        try:
            for number in range(count):
                try:
                    assert (yield number) in (None, "sent")
                except KeyError:
                    yield -1
        finally:
            self.closed += 1

    @asynccontextmanager
    async def block(self) -> AsyncIterator[str]:
        try:
            yield "inside"
        except ZeroDivisionError:
            pass
        finally:
            self.closed += 1

    async def make(self) -> Part:
        made = Part()
        self._tell_of_part("made", made)
        return made

    async def _own(self) -> None:
        pass


@pytest.fixture
def table(telemetry: TelemetryService) -> OperationTable:
    assert telemetry._table is not None
    return telemetry._table


@pytest.fixture
def shop(telemetry: TelemetryService) -> Shop:
    shop = Shop()
    telemetry.watch("shop", shop)
    return shop


def of(telemetry: TelemetryService, operation: str) -> OperationStats:
    [found] = [one for one in telemetry.operations("shop") if one.operation == operation]
    return found


async def test_calls_are_counted_and_timed_by_how_they_end(telemetry: TelemetryService, shop: Shop) -> None:
    """ALL-7."""
    assert await shop.order(7, kind="gift") == 7
    for error in (NotFoundError("it is not there"), ValueError("a secret"), NotFoundError("nor is that")):
        with pytest.raises(type(error)):
            await shop.fail(error)
    task = asyncio.create_task(shop.hang())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    order, fail, hang = of(telemetry, "order"), of(telemetry, "fail"), of(telemetry, "hang")
    assert (order.calls, order.errors, order.last_error) == (1, 0, None)
    assert 0 < order.seconds < 60
    assert fail.outcomes == {"ok": 0, "not_found": 2, "error": 1}
    assert (fail.errors, fail.last_error) == (3, "not_found")
    assert fail.last_error_at is not None
    assert hang.outcomes == {"ok": 0, "cancelled": 1}
    assert hang.errors == 0
    text = telemetry.exposition().decode()
    assert 'bedplate_service_operations_total{operation="fail",outcome="not_found",service="shop"} 2.0' in text
    assert 'duration_seconds_bucket{le="+Inf",operation="order",service="shop"} 1.0' in text
    assert 'duration_seconds_bucket{le="0.0005",operation="hang"' in text
    assert "a secret" not in text


async def test_a_stream_is_timed_until_it_is_closed(telemetry: TelemetryService, shop: Shop) -> None:
    assert [number async for number in shop.stream(3)] == [0, 1, 2]
    async with contextlib.aclosing(shop.stream(3)) as stream:
        assert await anext(stream) == 0
        assert of(telemetry, "stream").calls == 1
        assert await stream.asend("sent") == 1
        assert await stream.athrow(KeyError()) == -1
    with pytest.raises(LookupError):
        async with contextlib.aclosing(shop.stream(3)) as stream:
            await anext(stream)
            await stream.athrow(LookupError())
    assert of(telemetry, "stream").outcomes == {"ok": 2, "error": 1}
    assert shop.closed == 3


async def test_a_block_is_timed_until_it_is_left(telemetry: TelemetryService, shop: Shop) -> None:
    async with shop.block() as value:
        assert value == "inside"
        assert of(telemetry, "block").calls == 0
    with pytest.raises(NotFoundError):
        async with shop.block():
            raise NotFoundError("not there")
    async with shop.block():
        raise ZeroDivisionError  # which it swallows
    assert of(telemetry, "block").outcomes == {"ok": 2, "not_found": 1}
    assert shop.closed == 3


async def test_parts_are_operations_of_their_service(telemetry: TelemetryService, shop: Shop) -> None:
    await shop.part.fetch("key")
    await (await shop.make()).fetch("key")
    assert of(telemetry, "part.fetch").calls == 1
    assert of(telemetry, "made.fetch").calls == 1


def test_what_is_private_or_declared_is_not_counted(telemetry: TelemetryService, shop: Shop) -> None:
    shop.hot()
    assert shop.look() == "a look"
    names = {one.operation for one in telemetry.operations("shop")}
    assert names == {"order", "fail", "hang", "look", "stream", "block", "make", "part.fetch"}
    assert of(telemetry, "look").calls == 1


def test_a_watched_service_looks_as_it_did(shop: Shop) -> None:
    assert isinstance(shop, Shop)
    assert (type(shop).__name__, type(shop).__module__, type(shop).__doc__) == ("Shop", __name__, Shop.__doc__)
    assert inspect.iscoroutinefunction(shop.order)
    assert inspect.isasyncgenfunction(shop.stream)
    assert shop.order.__doc__ == "Take an order."
    for name in ("order", "look", "stream", "block"):
        assert inspect.signature(getattr(shop, name)) == inspect.signature(getattr(Shop(), name))


async def test_a_stop_takes_everything_away(telemetry: TelemetryService, shop: Shop) -> None:
    await telemetry.start()
    telemetry.watch("shop", shop)
    assert type(shop) is not Shop
    await telemetry.stop()
    assert type(shop) is Shop
    assert type(shop.part) is Part
    assert type(await shop.make()) is Part
    telemetry.watch("shop", shop)
    await shop.order(1)
    assert of(telemetry, "order").calls == 1


def test_quantiles_come_from_the_buckets(table: OperationTable) -> None:
    probe = table.probe("shop", "order")
    assert probe.stats().quantile(0.5) == 0
    probe.buckets[3], probe.buckets[7], probe.buckets[-1] = 90, 9, 1
    stats = probe.stats()
    assert 0.0005 < stats.quantile(0.5) < 0.001
    assert 0.01 < stats.quantile(0.95) <= 0.025
    assert stats.quantile(1) == 10


def _container(folder: Path, settings: SettingsService, *, operations: bool) -> ApplicationContainer:
    values = SettingsService(
        profile="test", data_dir=settings.values.data_dir, telemetry={"operations": operations, "log_level": "error"}
    )
    return ApplicationContainer(settings=Object(values))


async def test_turned_off_there_is_no_wrapper(tmp_path: Path, settings: SettingsService) -> None:
    """ALL-7: off means off: the methods are the classes' own."""
    container = _container(tmp_path, settings, operations=False)
    async with container.running():
        for name in ServiceType:
            cls = type(container.get(name))
            assert getattr(importlib.import_module(cls.__module__), cls.__name__) is cls
        assert container.telemetry().operations() == []
        assert b"bedplate_service_operation" not in container.telemetry().exposition()


def test_nothing_of_opentelemetry_is_imported(tmp_path: Path) -> None:
    """TEL-2: a process with embedded telemetry knows no SDK; FastAPI asks for the API where it is there."""
    program = f"""
import asyncio, sys
from dependency_injector.providers import Object
from bedplate.containers import ApplicationContainer
from bedplate.services.settings import SettingsService
from bedplate.wiring.http import create_app

async def main():
    container = ApplicationContainer(settings=Object(SettingsService(profile="test", data_dir={str(tmp_path)!r})))
    app = create_app(container)
    async with app.router.lifespan_context(app):
        container.telemetry().exposition()

asyncio.run(main())
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation")
print([name for name in sys.modules if name.startswith(heavy)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def _public(cls: type) -> set[str]:
    skipped = set(dir(Service)) | set(getattr(cls, "uncounted", ()))
    return {
        name
        for name in dir(cls)
        if not name.startswith("_") and name not in skipped and inspect.isfunction(inspect.getattr_static(cls, name))
    }


_NO_PARTS = {"task.carrier": "what carries tasks to their workers", "telemetry.meter": "makes instruments"}


async def test_every_public_operation_of_every_service_is_watched(tmp_path: Path, settings: SettingsService) -> None:
    """ALL-7: all sixteen, with all their parts."""
    container = _container(tmp_path, settings, operations=True)
    expected: dict[str, set[str]] = {}
    for name in ServiceType:
        service = container.get(name)
        expected[name] = _public(type(service)) - set(vars(service))
        package = type(service).__module__.rpartition(".")[0]
        for attribute, part in vars(service).items():
            ours = type(part).__module__.startswith(package) and part is not service and not attribute.startswith("_")
            waits = any(inspect.iscoroutinefunction(getattr(type(part), one)) for one in _public(type(part)))
            if ours and waits and f"{name}.{attribute}" not in _NO_PARTS:
                expected[name] |= {f"{attribute}.{method}" for method in _public(type(part))}

    async with container.running():
        telemetry = container.telemetry()
        for name in ServiceType:
            assert {one.operation for one in telemetry.operations(name)} == expected[name], name
        assert {one.service for one in telemetry.operations()} == set(ServiceType)

        await container.cache().namespace("made-later").set("key", 1)
        user = await container.auth().create_superuser("alice", "a good long password")
        with pytest.raises(NotFoundError):
            await container.chat().get(user.id, uuid.uuid4())
        found = {(one.service, one.operation): one for one in telemetry.operations()}
        assert found["cache", "set"].calls >= 1
        assert found["auth", "create_superuser"].calls == 1
        assert found["database", "transaction"].calls >= 1
        assert found["chat", "get"].last_error == "message_not_found"
        text = telemetry.exposition().decode()
        assert 'operation="create_superuser"' in text
        assert 'operation="other"' not in text
    assert type(container.cache()) is CacheService


async def test_what_replaces_a_service_is_left_alone(tmp_path: Path, settings: SettingsService) -> None:
    class Fake:
        async def get(self, key: str) -> Any:
            return key

    container = _container(tmp_path, settings, operations=True)
    with container.chat.override(Singleton(Fake)):
        async with container.running("chat"):
            assert type(container.chat()) is Fake
            assert container.telemetry().operations("chat") == []


async def test_a_second_start_watches_again(tmp_path: Path, settings: SettingsService) -> None:
    container = _container(tmp_path, settings, operations=True)
    for calls in (1, 2):
        async with container.running("cache"):
            await container.cache().set("key", 1)
            [found] = [one for one in container.telemetry().operations("cache") if one.operation == "set"]
            assert found.calls == calls


def test_two_that_share_a_class_share_its_wrapper(table: OperationTable) -> None:
    watching = Instrumentation(table.probe)
    one, other = Shop(), Shop()
    watching.add("shop", one)
    watching.add("shop", other)
    assert type(one) is type(other)
    watching.remove_all()
    assert type(one) is Shop


async def test_a_class_that_cannot_be_subclassed_is_left_as_it_is(
    telemetry: TelemetryService, caplog: pytest.LogCaptureFixture
) -> None:
    class Sealed(Service):
        def __init_subclass__(cls, **kwargs: Any) -> None:
            raise TypeError("it is sealed")

        async def act(self) -> int:
            return 7

    sealed = Sealed()
    telemetry.watch("sealed", sealed)
    assert type(sealed) is Sealed
    assert await sealed.act() == 7
    assert "cannot be counted service=sealed" in caplog.text
