"""A backend is declared by name, chosen by one setting, and imported when it is chosen."""

import sys
from pathlib import Path

import pytest

from bedplate.services.backends import Backend, service_factory
from bedplate.services.errors import ConfigurationError, MissingExtraError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService


@service_factory(
    ServiceType.CACHE,
    Backend(name="memory", target="sample_memory:Memory"),
    Backend(name="disk", target="sample_disk:Disk", extra="disk", needs=("workers",)),
)
def build_cache(settings: SettingsService) -> object:
    """Build it."""
    return build_cache.choose(settings).backend.load(ServiceType.CACHE)()


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample_memory.py").write_text("class Memory: ...")
    (tmp_path / "sample_disk.py").write_text("import library_that_is_not_installed")
    (tmp_path / "sample_broken.py").write_text("import bedplate.not_there")
    monkeypatch.syspath_prepend(tmp_path)


def test_the_setting_chooses_and_only_the_chosen_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL-2"""
    monkeypatch.setenv("BEDPLATE_CACHE__BACKEND", "memory")
    settings = SettingsService()
    choice = build_cache.choose(settings)
    assert (choice.backend.name, choice.origin) == ("memory", "environment BEDPLATE_CACHE__BACKEND")
    assert "sample_memory" not in sys.modules
    assert type(build_cache(settings)).__name__ == "Memory"
    assert sys.modules.pop("sample_memory")
    assert "sample_disk" not in sys.modules


def test_a_missing_extra_names_its_install_command() -> None:
    """ALL-2"""
    settings = SettingsService(cache={"backend": "disk"})
    with pytest.raises(MissingExtraError, match=r"pip install 'bedplate\[disk\]'") as error:
        build_cache(settings)
    assert (error.value.service, error.value.module) == ("cache", "library_that_is_not_installed")


def test_a_module_of_our_own_that_is_missing_is_no_missing_extra() -> None:
    backend = Backend(name="broken", target="sample_broken:Broken", extra="broken")
    with pytest.raises(ModuleNotFoundError, match=r"bedplate\.not_there"):
        backend.load(ServiceType.CACHE)


def test_a_backend_that_is_not_declared_is_refused_with_those_that_are() -> None:
    """ALL-2"""

    @service_factory(ServiceType.CACHE, Backend(name="quantum", target="builtins:dict"))
    def build(settings: SettingsService) -> None: ...

    with pytest.raises(
        ConfigurationError, match=r"'memory' is not a backend.*BEDPLATE_CACHE__BACKEND to one of quantum"
    ):
        build.choose(SettingsService(cache={"backend": "memory"}))


def test_the_factory_looks_like_its_function() -> None:
    assert build_cache.__name__ == "build_cache"
    assert build_cache.__doc__ == "Build it."
    assert list(build_cache.backends) == ["memory", "disk"]
