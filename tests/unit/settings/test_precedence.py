"""Which source wins, and what the service says about it."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bedplate.services.errors import InvalidInputError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.settings.profiles import PROFILES

SOURCES = ["argument", "environment", ".env", "bedplate.toml", "secret file", "profile"]
DEFAULT_PORT = 7860


@contextlib.contextmanager
def sources(given: set[str]) -> Iterator[dict[str, Any]]:
    """Give server.port from each source a value of its own, which is 1 + its place in SOURCES."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.chdir(folder)
        (folder / "secrets").mkdir()
        patch.setenv("BEDPLATE_SECRETS_DIR", "secrets")
        overrides: dict[str, Any] = {"server": {"port": 1}} if "argument" in given else {}
        if "environment" in given:
            patch.setenv("BEDPLATE_SERVER__PORT", "2")
        if ".env" in given:
            (folder / ".env").write_text("OTHER=x\nBEDPLATE_SERVER__PORT=3\n")
        if "bedplate.toml" in given:
            (folder / "bedplate.toml").write_text("[server]\nport = 4\n")
        if "secret file" in given:
            (folder / "secrets" / "bedplate_server__port").write_text("5\n")
        if "profile" in given:
            patch.setitem(PROFILES["test"], "server", {"port": 6})
            overrides["profile"] = "test"
        yield overrides


def test_each_source_wins_over_those_below_it() -> None:
    """SET-1: constructor > environment > .env > bedplate.toml > secrets directory > profile > default."""
    for strongest, source in enumerate(SOURCES):
        with sources(set(SOURCES[strongest:])) as overrides:
            settings = SettingsService(**overrides)
            assert settings.values.server.port == strongest + 1
            assert source in settings.origin("server.port")
    with sources(set()) as overrides:
        settings = SettingsService(**overrides)
        assert settings.values.server.port == DEFAULT_PORT
        assert settings.origin("server.port") == "default"


@hypothesis_settings(deadline=None)
@given(st.sets(st.sampled_from(SOURCES)))
def test_strongest_of_any_set_of_sources_wins(given: set[str]) -> None:
    """SET-1"""
    with sources(given) as overrides:
        settings = SettingsService(**overrides)
        strongest = next((place for place, source in enumerate(SOURCES) if source in given), None)
        assert settings.values.server.port == (DEFAULT_PORT if strongest is None else strongest + 1)
        assert settings.origin("server.port").startswith("default") == (strongest is None)


def test_groups_are_merged_setting_by_setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1"""
    (folder / "bedplate.toml").write_text("[cache]\nttl = 7\nmax_entries = 8\n")
    monkeypatch.setenv("BEDPLATE_CACHE__MAX_ENTRIES", "9")
    settings = SettingsService(cache={"max_bytes": 10})
    cache = settings.values.cache
    assert (cache.ttl, cache.max_entries, cache.max_bytes, cache.backend) == (7, 9, 10, "memory")
    assert settings.origin("cache.ttl") == f"{folder / 'bedplate.toml'} cache.ttl"
    assert settings.origin("cache.max_entries") == "environment BEDPLATE_CACHE__MAX_ENTRIES"
    assert settings.origin("cache.max_bytes") == "argument cache.max_bytes"
    assert settings.origin("cache.backend") == "default"


def test_constructor_arguments_are_never_ignored() -> None:
    """SET-1: an argument that equals a default still wins, and is not replaced by a validator."""
    settings = SettingsService(database={"url": "postgresql://u:p@h/d"}, cache={"backend": "disk"}, secret_key=None)
    assert settings.values.database.url is not None
    assert settings.values.database.url.get_secret_value() == "postgresql://u:p@h/d"
    assert settings.values.cache.backend == "disk"
    assert settings.origin("secret_key") == "argument secret_key"


def test_where_files_are_is_a_setting_of_the_stronger_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1"""
    (folder / "conf").mkdir()
    (folder / "conf" / "my.env").write_text("BEDPLATE_CONFIG_FILE=conf/my.toml\n")
    (folder / "conf" / "my.toml").write_text('secrets_dir = "conf/secrets"\n')
    (folder / "conf" / "secrets").mkdir()
    (folder / "conf" / "secrets" / "BEDPLATE_PROFILE").write_text("test")
    monkeypatch.setenv("BEDPLATE_ENV_FILE", "conf/my.env")
    settings = SettingsService()
    assert settings.values.profile == "test"
    assert settings.values.config_file == folder / "conf" / "my.toml"
    assert settings.origin("profile") == f"secret file {folder / 'conf' / 'secrets' / 'BEDPLATE_PROFILE'}"


def test_env_file_expands_variables_and_quotes(folder: Path) -> None:
    """SET-1"""
    (folder / ".env").write_text(
        "NAME=me\nexport BEDPLATE_AUTH__ISSUER='it # is'\nBEDPLATE_AUTH__AUDIENCE=for-${NAME}\n"
    )
    auth = SettingsService().values.auth
    assert (auth.issuer, auth.audience) == ("it # is", "for-me")


def test_names_in_capitals_win_over_names_in_small_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1"""
    monkeypatch.setenv("bedplate_cache__ttl", "1")
    assert SettingsService().values.cache.ttl == 1
    monkeypatch.setenv("BEDPLATE_CACHE__TTL", "2")
    settings = SettingsService()
    assert settings.values.cache.ttl == 2
    assert settings.origin("cache.ttl") == "environment BEDPLATE_CACHE__TTL"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://a.example", ("https://a.example",)),
        ("https://a.example, https://b.example,", ("https://a.example", "https://b.example")),
        ('["https://a.example", "https://b.example"]', ("https://a.example", "https://b.example")),
        (' ["a,b"] ', ("a,b",)),
        ("[]", ()),
        ("", ()),
    ],
)
def test_lists_from_the_environment_are_json_or_comma_separated(
    text: str, value: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-1"""
    monkeypatch.setenv("BEDPLATE_SERVER__CORS_ORIGINS", text)
    assert SettingsService().values.server.cors_origins == value


def test_backend_of_says_which_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1"""
    monkeypatch.setenv("BEDPLATE_CACHE__BACKEND", "disk")
    settings = SettingsService()
    assert settings.backend_of(ServiceType.CACHE) == ("disk", "environment BEDPLATE_CACHE__BACKEND")
    assert settings.backend_of(ServiceType.CHAT) == ("database", "default")
    assert settings.backend_of(ServiceType.SETTINGS) == ("embedded", "default")


def test_of_answers_for_services_without_a_group() -> None:
    """SET-1"""
    settings = SettingsService(chat={"required": False})
    assert settings.of("chat").required is False
    assert settings.of("my_own_service").required is True
    assert settings.of("server").start_timeout == settings.of("my_own_service").start_timeout
    assert settings.of("values").backend == "embedded"


def test_asking_for_an_unknown_setting_names_the_nearest() -> None:
    """SET-2"""
    with pytest.raises(InvalidInputError, match=r"did you mean 'cache\.max_entries'"):
        SettingsService().origin("cache.max_entrys")
