"""Services and backends of other distributions: chosen by setting, shown in the report, failing alone."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedplate.containers import State, add_plugins, application_container
from bedplate.containers.application import ApplicationContainer
from bedplate.containers.errors import StartError
from bedplate.containers.plugins import PluginError
from bedplate.services.backends import BackendPluginError
from bedplate.services.cache.factory import build_cache
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService

MODULE = """
from dependency_injector.providers import ThreadSafeSingleton as Singleton
from pydantic import BaseModel, SecretStr
from bedplate.services.backends import Backend
from bedplate.services.base import Service
from bedplate.services.cache.memory import MemoryBackend

class Options(BaseModel, extra="forbid"):
    station: str
    key: SecretStr

class Weather(Service):
    backend = "rain gauge"
    def __init__(self, settings):
        self.settings = settings
        self.options = settings.plugin_options("weather", Options)

def weather(container):
    return Singleton(Weather, container.settings)

def plain(container):
    return Singleton(Service)

def not_a_provider(container):
    return "weather"

class Shared(MemoryBackend):
    name = "shared"

SHARED = Backend(name="shared", target="weather_plugin:Shared")
NO_CLASS = Backend(name="no_class", target="weather_plugin:Missing")
MISNAMED = Backend(name="other", target="weather_plugin:Shared")
"""


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution with these entry points: services by name, backends by name and service."""

    def install(**groups: dict[str, str]) -> None:
        (tmp_path / "weather_plugin.py").write_text(MODULE)
        (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('broken at import')")
        info = tmp_path / "weather_plugin-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: weather-plugin\nVersion: 1.2\n")
        lines = []
        for group, entries in groups.items():
            lines += [f"[bedplate.{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines))
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for name in ("weather_plugin", "broken_plugin"):
        sys.modules.pop(name, None)


def _settings(**values: object) -> SettingsService:
    return SettingsService(**{"profile": "test", **values})


OPTIONS = {"weather": {"station": "EDDB", "key": "a-secret-of-the-weather"}}


async def test_an_installed_service_is_one_like_any(install: Install) -> None:
    """ALL-2: it is shown in the report, and gets its options from the settings."""
    install(services={"weather": "weather_plugin:weather"})
    container = application_container(_settings(plugins={"options": OPTIONS}))
    async with container.running("weather"):
        weather = container.get("weather")
        assert weather.started
        assert weather.options.station == "EDDB"
        record = container.report["weather"]
        assert (record.needs, record.backend, record.state, record.required) == (
            ["settings"], "rain gauge", State.STARTED, False,
        )  # fmt: skip
        assert "a-secret-of-the-weather" not in container.report.table()
        assert "a-secret-of-the-weather" not in repr(container.settings().values)
    assert not weather.started


async def test_settings_choose_which_run(install: Install) -> None:
    install(services={"wind": "weather_plugin:plain", "rain": "weather_plugin:plain", "snow": "broken_plugin:never"})
    assert add_plugins(ApplicationContainer()) == ["rain", "snow", "wind"]
    container = application_container(_settings(plugins={"enabled": ["rain"]}))
    assert "rain" in container.providers
    assert not {"wind", "snow"} & container.providers.keys()
    assert "broken_plugin" not in sys.modules or sys.modules.pop("broken_plugin")
    with pytest.raises(PluginError, match=r"no plug-in called 'rian' is installed.*did you mean 'rain'"):
        application_container(_settings(plugins={"enabled": ["rian"]}))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("weather", "weather_plugin:missing", "AttributeError"),
        ("weather", "weather_plugin:not_a_provider", "it returned str, not a provider"),
        ("weather", "broken_plugin:provider", "RuntimeError: broken at import"),
        ("cache", "weather_plugin:weather", "the container has a service 'cache'"),
    ],
)
async def test_one_that_cannot_be_used_fails_alone(install: Install, name: str, value: str, why: str) -> None:
    install(services={name: value, "wind": "weather_plugin:plain"})
    container = application_container(_settings())
    failed = name if name == "weather" else "cache_plugin"
    async with container.running(failed, "wind", "cache"):
        assert container.report["wind"].state is State.STARTED
        assert container.report["cache"].state is State.STARTED
        record = container.report[failed]
        assert record.state is State.FAILED
        assert "weather-plugin" in str(record.error)
        assert why in str(record.error)


async def test_a_required_one_stops_the_start(install: Install) -> None:
    install(services={"weather": "broken_plugin:provider"})
    container = application_container(_settings(plugins={"required": ["weather"]}))
    with pytest.raises(StartError, match="broken at import"):
        await container.init_resources(only=["weather"])


async def test_wrong_options_are_named_without_a_value(install: Install) -> None:
    install(services={"weather": "weather_plugin:weather"})
    container = application_container(_settings(plugins={"options": {"weather": {"kee": "a-secret-of-the-weather"}}}))
    with pytest.raises(ConfigurationError) as caught:
        container.get("weather")
    assert "station: Field required" in str(caught.value)
    assert "kee: Extra inputs" in str(caught.value)
    assert "a-secret" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_an_installed_backend_is_chosen_like_any(install: Install) -> None:
    """ALL-2: by the one setting of its service; the report says who brought it."""
    install(backends={"cache.shared": "weather_plugin:SHARED"})
    container = application_container(_settings(cache={"backend": "shared"}))
    async with container.running(container.cache):
        await container.cache().set("key", "value")
        assert await container.cache().get("key") == "value"
        record = container.report["cache"]
        assert record.backend == "shared"
        assert record.origin == "argument cache.backend, brought by weather-plugin 1.2"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("broken_plugin:NEVER", "broken at import"),
        ("weather_plugin:MISNAMED", "not a Backend with the name"),
        ("weather_plugin:NO_CLASS", "Missing"),
    ],
)
async def test_an_installed_backend_that_is_broken(install: Install, value: str, why: str) -> None:
    install(backends={"cache.no_class": value})
    container = application_container(_settings())
    async with container.running(container.cache):  # nobody chose it
        assert "broken_plugin" not in sys.modules
    container = application_container(_settings(cache={"backend": "no_class", "required": False}))
    with pytest.raises(BackendPluginError, match=why) as caught:
        container.cache()
    assert "weather-plugin 1.2" in str(caught.value)
    assert "BEDPLATE_CACHE__BACKEND" in str(caught.value)


def test_an_unknown_backend_is_refused_with_the_installed_ones_too(install: Install) -> None:
    install(backends={"cache.shared": "weather_plugin:SHARED"})
    with pytest.raises(ConfigurationError, match=r"one of memory, disk, .*shared"):
        build_cache.choose(_settings(cache={"backend": "shaerd"}))


def test_options_from_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDPLATE_PLUGINS__OPTIONS", '{"weather": {"key": "a-secret-of-the-weather"}}')
    options = SettingsService().values.plugins.options
    assert options["weather"]["key"].get_secret_value() == "a-secret-of-the-weather"
    for wrong in ("weather", "{oops", '["a"]', '{"weather": 5}'):
        monkeypatch.setenv("BEDPLATE_PLUGINS__OPTIONS", wrong)
        with pytest.raises(ConfigurationError, match=r"plugins\.options") as caught:
            SettingsService()
        assert wrong not in str(caught.value) or wrong == "weather"
