"""One test for each line of the design card, on the application's own container."""

import inspect
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from dependency_injector import providers
from fastapi import FastAPI

from bedplate.containers import ApplicationContainer, Provide, Singleton, State, inject
from bedplate.services.base import Service
from bedplate.services.cache import CacheService
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring import Cache, Database, deps
from bedplate.wiring.lifespan import current_container, initialize_services, lifespan, teardown_services


@pytest.fixture
def application(container_settings: dict[str, Any]) -> ApplicationContainer:
    """A container that is not started."""
    return ApplicationContainer(settings=Singleton(SettingsService, **container_settings))


def started(container: Any) -> set[str]:
    return {one.name for one in container.report.services if one.state is State.STARTED}


async def test_container_wire_in_a_plain_fastapi_app(application: ApplicationContainer) -> None:
    app = FastAPI(lifespan=lifespan(application))

    @app.get("/count")
    @inject
    async def count(database: Database, cache: Cache, by: int = 1) -> dict[str, Any]:
        return {"count": await cache.increment("count", by), "database": database.started}

    application.wire(modules=[__name__])
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        assert (await http.get("/count?by=2")).json() == {"count": 2, "database": True}
        assert (await http.get("/count")).json() == {"count": 3, "database": True}
    application.unwire()
    assert not application.started


async def test_async_and_sync_stock_resources_in_a_subclass(container_settings: dict[str, Any]) -> None:
    events: list[str] = []

    def sync_model(settings: SettingsService) -> Iterator[str]:
        events.append("load")
        yield f"model in {settings.values.data_dir.name}"
        events.append("unload")

    async def async_connection(model: str) -> AsyncIterator[list[str]]:
        events.append("connect")
        yield [model]
        events.append("disconnect")

    class Mine(ApplicationContainer):
        model = providers.Resource(sync_model, ApplicationContainer.settings)
        connection = providers.Resource(async_connection, model)
        report_of = Singleton(dict, connection=connection, database=ApplicationContainer.database)

    container = Mine(settings=Singleton(SettingsService, **container_settings))
    async with container.running():
        assert container.report_of() == {"connection": ["model in bedplate"], "database": container.database()}
        assert {"model", "connection", "report_of", "database"} <= started(container)
    assert events == ["load", "connect", "disconnect", "unload"]


class FakeCache:
    label = "fake"

    def namespace(self, name: str) -> "FakeCache":
        return self


@inject
def which(cache: Annotated[Any, Provide["cache"]]) -> Any:
    return cache


async def test_override_before_and_after_start(application: ApplicationContainer) -> None:
    application.wire(modules=[__name__])
    with application.cache.override(Singleton(FakeCache)):
        async with application.running():
            assert which().label == "fake"
            assert application.report["cache"].origin == "override"
    async with application.running():
        assert isinstance(which(), CacheService)
        with application.cache.override(Singleton(FakeCache)):
            assert which().label == "fake"
        assert isinstance(which(), CacheService)
    application.unwire()


def test_bedplate_db_upgrade_boots_settings_and_database_and_telemetry_only(tmp_path: Path) -> None:
    """In a process of its own: with everything that the others need missing or broken, it still works."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BEDPLATE_")}
    environment |= {
        "BEDPLATE_DATA_DIR": str(tmp_path / "data"),
        "BEDPLATE_TELEMETRY__LOG_LEVEL": "debug",
        "BEDPLATE_TELEMETRY__LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "bedplate", "db", "upgrade"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "bedplate.db").exists()
    assert not (tmp_path / "data" / "secret_key").exists()
    log = done.stderr.replace(" ", "")
    assert '"event":"servicestarted","service":"telemetry"' in log
    for other in set(ServiceType) - {"settings", "database", "telemetry"}:
        assert f'"service":"{other}"' not in log


async def test_initialize_services_without_asgi(application: ApplicationContainer) -> None:
    await initialize_services(application)
    assert current_container() is application
    await deps.get_cache_service().set("key", {"answer": 42})
    assert await deps.get_cache_service().get("key") == {"answer": 42}
    async with deps.get_db_service().session() as session:
        assert session is not None
    await teardown_services()
    assert not application.started


async def test_running_database_starts_one_service_and_what_it_needs(application: ApplicationContainer) -> None:
    async with application.running(application.database):
        assert started(application) == {"settings", "redactor", "telemetry", "database"}
        async with application.database().session() as session:
            assert session is not None
    assert not application.started


async def test_the_services_are_singletons_or_resources_whose_init_and_shutdown_are_start_and_stop(
    application: ApplicationContainer,
) -> None:
    services = {name: application.providers[name] for name in ServiceType if name in application.providers}
    assert len(services) >= 11
    kinds = (providers.Singleton, providers.ThreadSafeSingleton, providers.Resource)
    assert all(type(provider) in kinds for provider in services.values())
    await application.init_resources()
    objects = {name: provider() for name, provider in services.items()}
    for name, service in objects.items():
        assert isinstance(service, Service), name
        assert service.type == name
        assert service.started, name
        assert not inspect.isawaitable(service)
    await application.shutdown_resources()
    assert [name for name, service in objects.items() if service.started] == []
