"""Variables of Langflow are read where they mean the same (SET-7)."""

import os
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.settings import Settings, SettingsError, SettingsService
from bedplate.services.settings.aliases import ALIAS_PREFIX, ALIASES, WITHOUT_COUNTERPART
from bedplate.services.settings.keys import dotted, environment_name, fields_of
from bedplate.services.settings.profiles import PROFILES
from bedplate.services.settings.reference import settings_in_use

KEY = "a-secret-key-of-tests-0123456789abcdef"


@pytest.fixture(autouse=True)
def nothing_of_langflow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(ALIAS_PREFIX):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("CONFIG_DIR", "/var/lib/x", Path("/var/lib/x")),
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("PORT", "7861", 7861),
        ("CORS_ORIGINS", "https://a.example,https://b.example", ("https://a.example", "https://b.example")),
        ("CORS_ALLOW_CREDENTIALS", "true", True),
        ("LOG_LEVEL", "CRITICAL", "error"),
        ("LOG_LEVEL", "Debug", "debug"),
        ("DEACTIVATE_TRACING", "True", "off"),
        ("DEACTIVATE_TRACING", "false", "database"),
        ("POOL_SIZE", "20", 20),
        ("CACHE_TYPE", "async", "memory"),
        ("CACHE_TYPE", "disk", "disk"),
        ("CACHE_EXPIRE", "60", 60.0),
        ("STORAGE_TYPE", "Local", "local"),
        ("MAX_FILE_SIZE_UPLOAD", "100", 100 * 1024 * 1024),
        ("VARIABLE_STORE", "db", "database"),
        ("STORE", "false", False),
        ("VARIABLES_TO_GET_FROM_ENVIRONMENT", "OPENAI_API_KEY, OTHER", ("OPENAI_API_KEY", "OTHER")),
        ("COMPONENTS_PATH", '["/opt/components"]', (Path("/opt/components"),)),
        ("MAX_TRANSACTIONS_TO_KEEP", "5", 5),
        ("MAX_VERTEX_BUILDS_TO_KEEP", "6", 6),
        ("MAX_VERTEX_BUILDS_PER_VERTEX", "7", 7),
        ("ACCESS_TOKEN_EXPIRE_SECONDS", "900", 900.0),
        ("REFRESH_TOKEN_EXPIRE_SECONDS", "9000", 9000.0),
        ("AUTO_LOGIN", "true", True),
        ("NEW_USER_IS_ACTIVE", "true", "open"),
        ("NEW_USER_IS_ACTIVE", "0", "approval"),
        ("ENABLE_SIGNUP", "false", "closed"),
        ("ENABLE_SIGNUP", "true", "approval"),
        ("SUPERUSER", "ada", "ada"),
        ("ACCESS_SECURE", "false", False),
        ("COOKIE_DOMAIN", "example.org", "example.org"),
    ],
)
def test_a_variable_gives_its_setting(name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7"""
    monkeypatch.setenv(f"LANGFLOW_{name}", text)
    settings = SettingsService()
    key = dotted(ALIASES[f"LANGFLOW_{name}"].key)
    assert settings.value(key) == value
    if settings.aliases:
        assert settings.aliases == {f"LANGFLOW_{name}": key}
        assert settings.origin(key) == f"environment LANGFLOW_{name}"
    else:
        assert settings.origin(key) == "default"  # the text says that nothing is different


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "SUPERUSER_PASSWORD"])
def test_secrets_stay_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7"""
    monkeypatch.setenv(f"LANGFLOW_{name}", KEY)
    settings = SettingsService()
    value = settings.value(dotted(ALIASES[f"LANGFLOW_{name}"].key))
    assert value.get_secret_value() == KEY
    assert KEY not in f"{settings.values!r} {settings.aliases} {settings_in_use(settings)}"


def test_every_other_source_goes_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7: but the profile and the defaults; what is overruled is not listed, and not even looked at."""
    (folder / "secrets").mkdir()
    monkeypatch.setenv("BEDPLATE_SECRETS_DIR", "secrets")
    monkeypatch.setenv("LANGFLOW_PORT", "6")
    monkeypatch.setitem(PROFILES["test"], "server", {"port": 7})
    givers = [
        lambda: (folder / "secrets" / "BEDPLATE_SERVER__PORT").write_text("5"),
        lambda: (folder / "bedplate.toml").write_text("[server]\nport = 4\n"),
        lambda: (folder / ".env").write_text("BEDPLATE_SERVER__PORT=3\n"),
        lambda: monkeypatch.setenv("BEDPLATE_SERVER__PORT", "2"),
    ]
    settings = SettingsService(profile="test")
    assert (settings.values.server.port, settings.aliases) == (6, {"LANGFLOW_PORT": "server.port"})
    monkeypatch.setenv("LANGFLOW_PORT", "not even a number")
    for port, give in zip((5, 4, 3, 2), givers, strict=True):
        give()
        settings = SettingsService(profile="test")
        assert (settings.values.server.port, settings.aliases) == (port, {})
    assert SettingsService(server={"port": 1}).values.server.port == 1


def test_the_env_file_is_read_behind_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7"""
    (folder / ".env").write_text("LANGFLOW_PORT=1111\nLANGFLOW_HOST=10.0.0.1\nOTHER=x\n")
    monkeypatch.setenv("LANGFLOW_PORT", "2222")
    settings = SettingsService()
    assert (settings.values.server.port, settings.values.server.host) == (2222, "10.0.0.1")
    assert settings.origin("server.host") == f"{folder / '.env'} LANGFLOW_HOST"
    assert settings.origin("server.port") == "environment LANGFLOW_PORT"


def test_of_two_for_one_setting_the_stricter_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7: sign-up that is closed stays closed, whatever new users would be."""
    monkeypatch.setenv("LANGFLOW_NEW_USER_IS_ACTIVE", "true")
    monkeypatch.setenv("LANGFLOW_ENABLE_SIGNUP", "false")
    settings = SettingsService()
    assert settings.values.auth.sign_up == "closed"
    assert settings.aliases == {"LANGFLOW_ENABLE_SIGNUP": "auth.sign_up"}


def test_an_empty_one_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7: example files are full of them."""
    monkeypatch.setenv("LANGFLOW_SUPERUSER", "")
    settings = SettingsService()
    assert (settings.values.auth.superuser, settings.aliases) == (None, {})


def test_one_that_is_wrong_is_refused_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7, SET-2: never a silent default."""
    monkeypatch.setenv("LANGFLOW_PORT", "http")
    monkeypatch.setenv("LANGFLOW_SECRET_KEY", "short")
    with pytest.raises(SettingsError) as caught:
        SettingsService()
    found = {problem.key: problem for problem in caught.value.problems}
    assert set(found) == {"server.port", "secret_key"}
    assert found["server.port"].origin == "environment LANGFLOW_PORT"
    assert "short" not in str(found["secret_key"])


def test_a_wildcard_with_credentials_is_refused_from_langflow_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-7: the reference's own default, CVE-2025-34291."""
    monkeypatch.setenv("LANGFLOW_CORS_ORIGINS", "*")
    monkeypatch.setenv("LANGFLOW_CORS_ALLOW_CREDENTIALS", "true")
    with pytest.raises(SettingsError, match="any page could act as the user"):
        SettingsService()


def test_the_tables_agree_with_the_settings() -> None:
    """SET-7: each alias names a setting; no variable is in both tables; settings that a reason names exist."""
    fields = fields_of(Settings)
    assert {alias.key for alias in ALIASES.values()} <= fields.keys()
    assert not ALIASES.keys() & WITHOUT_COUNTERPART.keys()
    assert all(name.startswith(ALIAS_PREFIX) for name in (*ALIASES, *WITHOUT_COUNTERPART))
    known = {environment_name(key) for key in fields}
    groups = {environment_name(key[:-1]) for key in fields if len(key) > 1}
    for reason in WITHOUT_COUNTERPART.values():
        for word in reason.replace("=", " ").replace(",", " ").replace(":", " ").split():
            if word.startswith("BEDPLATE_") and not word.endswith("*"):
                assert word in known, word
    assert groups
