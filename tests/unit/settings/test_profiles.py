"""Profiles, and what cannot be changed once read."""

from typing import Any

import pytest
from pydantic import ValidationError

from bedplate.services.settings import Settings, SettingsError, SettingsService
from bedplate.services.settings.keys import dotted, fields_of
from bedplate.services.settings.profiles import PROFILES

FIELDS = [dotted(key) for key in fields_of(Settings)]


def flat(table: Any, above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return found


@pytest.mark.parametrize("profile", ["embedded", "cluster", "test"])
def test_profile_changes_defaults_and_nothing_else(profile: str) -> None:
    """SET-3: every setting is that of the profile, or the default of the model."""
    plain, settings = SettingsService(), SettingsService(profile=profile)
    changed = flat(PROFILES[profile])
    for key in FIELDS:
        if key == "profile":
            continue
        expected = changed.get(key, plain.value(key))
        assert settings.value(key) == expected, key
        assert settings.origin(key) == (f"profile {profile}" if key in changed else "default"), key


def test_embedded_is_the_default_profile() -> None:
    """SET-3"""
    settings = SettingsService()
    assert (settings.values.profile, settings.origin("profile")) == ("embedded", "default")


@pytest.mark.parametrize("profile", ["cluster", "test"])
def test_anything_given_wins_over_the_profile(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-3"""
    monkeypatch.setenv("BEDPLATE_PROFILE", profile)
    monkeypatch.setenv("BEDPLATE_TELEMETRY__LOG_FORMAT", "console")
    monkeypatch.setenv("BEDPLATE_TELEMETRY__LOG_LEVEL", "error")
    settings = SettingsService(server={"host": "127.0.0.2", "port": 5})
    assert settings.values.telemetry.log_format == "console"
    assert settings.values.telemetry.log_level == "error"
    assert (settings.values.server.host, settings.values.server.port) == ("127.0.0.2", 5)


@pytest.mark.parametrize("profile", ["prod", ["test"], {"a": 1}, 5])
def test_profile_that_does_not_exist(profile: Any) -> None:
    """SET-3"""
    with pytest.raises(SettingsError) as caught:
        SettingsService(profile=profile)
    assert [problem.key for problem in caught.value.problems] == ["profile"]


def test_settings_are_frozen() -> None:
    """SET-1"""
    values = SettingsService().values
    for target, name in ((values, "profile"), (values, "cache"), (values.cache, "ttl"), (values.cache, "new")):
        with pytest.raises(ValidationError, match=r"frozen|no field"):
            setattr(target, name, "x")


@pytest.mark.parametrize(
    ("key", "weakness"),
    [
        ("short", "has 5 characters"),
        ("a" * 64, "1 different characters"),
        ("0123456789" * 4, "repeats itself"),
        ("change-me-change-me-please-0123456789", "is a placeholder"),
    ],
)
def test_weak_secret_key_is_refused_with_all_other_problems(key: str, weakness: str) -> None:
    """SET-6"""
    with pytest.raises(SettingsError) as caught:
        SettingsService(secret_key=key, server={"port": -1})
    found = {problem.key: problem.what for problem in caught.value.problems}
    assert set(found) == {"secret_key", "server.port"}
    assert weakness in found["secret_key"]
    assert key not in str(caught.value)


async def test_service_starts_and_is_healthy() -> None:
    """ALL-1"""
    settings = SettingsService()
    await settings.start()
    assert (await settings.health()).status == "up"
    await settings.stop()
