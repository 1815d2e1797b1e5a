"""The application's own container: one page, sixteen names, no I/O before a start."""

import socket
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.base import Service
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService


def test_the_sixteen_names() -> None:
    assert [str(name) for name in ServiceType] == [
        "auth", "cache", "chat", "database", "job_queue", "session", "settings", "shared_component_cache", "socket",
        "state", "storage", "store", "task", "telemetry", "tracing", "variable",
    ]  # fmt: skip


def test_building_every_service_does_no_io(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL-1: files, sockets and threads come with the start."""

    def refused(*_args: Any, **_kwargs: Any) -> Any:
        raise AssertionError("a constructor did I/O")

    monkeypatch.chdir(tmp_path)
    container = ApplicationContainer(settings=Singleton(SettingsService, profile="test", data_dir=tmp_path / "data"))
    container.settings()
    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr("threading.Thread.start", refused)
    monkeypatch.setattr("os.open", refused)
    monkeypatch.setattr("os.mkdir", refused)
    built = {name: provider() for name, provider in container.providers.items() if not name.startswith("_")}
    assert isinstance(built["database"], Service)
    assert not (tmp_path / "data").exists()
    assert not any(service.started for service in built.values() if isinstance(service, Service))


async def test_every_service_has_the_shape(container: ApplicationContainer) -> None:
    """ALL-1: start and stop twice over, health with a status and a latency."""
    health = await container.health()
    for name in set(ServiceType):
        service = container.get(name)
        assert isinstance(service, Service)
        assert service.type == name
        await service.start()
        assert service.started
        assert health.services[name].status == "up", health.services[name]
        assert health.services[name].latency_ms >= 0
        await service.stop()
        await service.stop()
        assert not service.started
        await service.start()
        assert service.started


def test_every_service_is_chosen_by_a_factory_with_its_backends() -> None:
    """ALL-2: but settings, which choose."""
    container = ApplicationContainer()
    for name in set(ServiceType) - {"settings"}:
        factory: Any = container.providers[name].provides  # type: ignore[attr-defined]
        assert factory.service == name
        assert factory.backends
        for backend in factory.backends.values():
            assert ":" in backend.target
            assert set(backend.needs) <= set(container.providers)


def test_two_containers_share_no_service() -> None:
    one, other = ApplicationContainer(), ApplicationContainer()
    assert one.settings() is not other.settings()
    assert one.telemetry() is not other.telemetry()
