"""Services of other distributions, by entry point."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from bedplate.containers import Singleton, add_plugins, application_container, plugins
from bedplate.containers.plugins import GROUP, PluginError
from bedplate.services.base import Service
from bedplate.services.settings import SettingsService


class Weather(Service):
    def __init__(self, settings: SettingsService) -> None:
        self.settings = settings


def provider(container: Any) -> Any:
    return Singleton(Weather, container.settings)


def not_a_provider(container: Any) -> str:
    return "weather"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def install(**values: str) -> None:
        found = EntryPoints(EntryPoint(name, f"{__name__}:{value}", GROUP) for name, value in values.items())
        monkeypatch.setattr(plugins, "entry_points", lambda *, group: found.select(group=group))

    return install


async def test_an_installed_plug_in_is_a_service_like_any(install: Callable[..., None]) -> None:
    install(weather="provider")
    container = application_container()
    container.settings.override(Singleton(SettingsService, profile="test"))
    async with container.running("weather"):
        weather = container.get("weather")
        assert weather.started
        assert weather.settings is container.settings()
        assert container.report["weather"].needs == ["settings"]
    assert not weather.started


def test_plug_ins_are_added_in_the_order_of_their_names(install: Callable[..., None]) -> None:
    install(wind="provider", rain="provider")
    assert add_plugins(application_container.__globals__["ApplicationContainer"]()) == ["rain", "wind"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("weather", "missing", "AttributeError"),
        ("weather", "not_a_provider", "it returned str, not a provider"),
        ("settings", "provider", "the container has a service 'settings'"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_named(install: Callable[..., None], name: str, value: str, why: str) -> None:
    install(**{name: value})
    with pytest.raises(PluginError, match=f"plug-in '{name}'") as error:
        application_container()
    assert why in str(error.value)
    assert value in str(error.value)
