"""What is refused, and how: all at once, by name, without a value."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bedplate.services.errors import BedplateError
from bedplate.services.settings import Problem, Settings, SettingsError, SettingsService
from bedplate.services.settings.keys import fields_of, nearest

FIELDS = fields_of(Settings)


def problems(**overrides: Any) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as caught:
        SettingsService(**overrides)
    return {problem.key: problem for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BEDPLATE_PORT", "BEDPLATE_SERVER__PORT"),
        ("BEDPLATE_SERVER_PORT", "BEDPLATE_SERVER__PORT"),
        ("BEDPLATE__SERVER__PORT", "BEDPLATE_SERVER__PORT"),
        ("BEDPLATE_SERVR__PORT", "BEDPLATE_SERVER__PORT"),
        ("BEDPLATE_CACHE__MAX_ENTRYS", "BEDPLATE_CACHE__MAX_ENTRIES"),
        ("BEDPLATE_CACH__BACKEND", "BEDPLATE_CACHE__BACKEND"),
        ("BEDPLATE_CACHE_TTL", "BEDPLATE_CACHE__TTL"),
        ("BEDPLATE_SECRETKEY", "BEDPLATE_SECRET_KEY"),
        ("BEDPLATE_PROFIL", "BEDPLATE_PROFILE"),
        ("bedplate_data_dri", "BEDPLATE_DATA_DIR"),
        ("BEDPLATE_AUTH__SUPERUSER__PASSWORD", "BEDPLATE_AUTH__SUPERUSER_PASSWORD"),
    ],
)
def test_misspelt_environment_name_is_refused_with_the_nearest(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-2"""
    monkeypatch.setenv(name, "8080")
    (problem,) = problems().values()
    assert problem.origin == f"environment {name}"
    assert problem.what == "there is no such setting"
    assert problem.fix == f"did you mean {meant}?"
    assert problem.shape == "text of 4 characters"


def test_name_like_no_other_is_refused_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2"""
    monkeypatch.setenv("BEDPLATE_XYZZY", "1")
    assert problems()["xyzzy"].fix.startswith("remove it")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEDPLATE_REFERENCE_DIR", "/somewhere"),
        ("BEDPLATE_SERVICE_HOST", "10.0.0.1"),
        ("BEDPLATE_SERVICE_PORT", "7860"),
        ("BEDPLATE_SERVICE_PORT_HTTP", "7860"),
        ("BEDPLATE_PORT", "tcp://10.0.0.1:7860"),
        ("BEDPLATE_PORT_7860_TCP", "tcp://10.0.0.1:7860"),
        ("BEDPLATE_PORT_7860_TCP_PROTO", "tcp"),
        ("BEDPLATE_PORT_7860_TCP_PORT", "7860"),
        ("BEDPLATE_PORT_7860_TCP_ADDR", "10.0.0.1"),
        ("BEDPLATE_REDIS_SERVICE_HOST", "10.0.0.2"),
        ("BEDPLATE_REDIS_SERVICE_PORT_WEB_UI", "80"),
        ("BEDPLATE_REDIS_PORT", "udp://10.0.0.2:6379"),
        ("BEDPLATE_SERVER_PORT", "sctp://10.0.0.2:6379"),
        ("OTHER_BEDPLATE_PORT", "1"),
    ],
)
def test_names_that_kubernetes_injects_are_no_settings(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2"""
    monkeypatch.setenv(name, value)
    assert SettingsService().values.server.port == 7860


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEDPLATE_PORT", "8080"),
        ("BEDPLATE_REDIS_PORT", "6379"),
        ("BEDPLATE_PORT", "http://10.0.0.1"),
        ("BEDPLATE_HOST", "h"),
    ],
)
def test_what_only_resembles_a_service_link_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2"""
    monkeypatch.setenv(name, value)
    assert len(problems()) == 1


def test_service_links_are_an_affair_of_the_environment_only(folder: Path) -> None:
    """SET-2"""
    (folder / ".env").write_text("BEDPLATE_SERVICE_HOST=10.0.0.1\nBEDPLATE_REFERENCE_DIR=x\n")
    assert set(problems()) == {"service_host"}


def test_every_problem_of_every_source_is_reported_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2: each with key, origin, shape and fix."""
    monkeypatch.setenv("BEDPLATE_SERVER__PORT", "eighty")
    monkeypatch.setenv("BEDPLATE_PROFILE", "prod")
    monkeypatch.setenv("BEDPLATE_CACHE", '{"ttl": 1}')
    monkeypatch.setenv("BEDPLATE_SECRETS_DIR", "nowhere")
    (folder / ".env").write_text("BEDPLATE_CHAT__MAX_MESAGE_BYTES=1\n")
    (folder / "bedplate.toml").write_text('colour = "red"\nauth = 3\n[cahce]\nttl = 1\n[tracing]\nqueue_size = 0\n')
    found = problems(session={"max_nodes": [1, 2]}, telemetry={"log_level": "loud"})
    assert set(found) == {
        "cache", "chat.max_mesage_bytes", "colour", "auth", "cahce", "secrets_dir",
        "server.port", "profile", "tracing.queue_size", "session.max_nodes", "telemetry.log_level",
    }  # fmt: skip
    assert found["server.port"].origin == "environment BEDPLATE_SERVER__PORT"
    assert found["server.port"].shape == "text of 6 characters"
    assert "BEDPLATE_SERVER__PORT" in found["server.port"].fix
    assert found["tracing.queue_size"].origin == f"{folder / 'bedplate.toml'} tracing.queue_size"
    assert found["tracing.queue_size"].shape == "a whole number"
    assert found["session.max_nodes"].origin == "argument session.max_nodes"
    assert found["session.max_nodes"].shape == "a list of 2"
    assert found["cahce"].fix == "did you mean cache?"
    assert all(problem.fix and problem.what and problem.shape for problem in found.values())


def test_error_is_one_of_the_tree_and_lists_its_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL-3, SET-2"""
    monkeypatch.setenv("BEDPLATE_SERVER__PORT", "99999")
    monkeypatch.setenv("BEDPLATE_CACHE__TTL", "-1")
    with pytest.raises(SettingsError, match="2 settings are wrong") as caught:
        SettingsService()
    error = caught.value
    assert isinstance(error, BedplateError)
    assert (error.code, error.service) == ("settings", "settings")
    assert all(str(problem) in str(error) for problem in error.problems)
    assert error.fix is not None


@pytest.mark.parametrize("name", ["BEDPLATE_SECRET_KEY", "BEDPLATE_SERVER__PORT", "BEDPLATE_AUTH__SUPERUSER"])
def test_empty_value_is_refused_and_not_taken_for_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2: a variable that was to be filled in and was not must not turn into a default."""
    monkeypatch.setenv(name, "")
    (problem,) = problems().values()
    assert (problem.what, problem.shape) == ("is empty", "empty text")


@pytest.mark.parametrize("name", ["BEDPLATE_SECRET_KEY", "BEDPLATE_AUTH__ISSUER"])
def test_bytes_that_are_no_text_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2"""
    monkeypatch.setenv(name, os.fsdecode(b"\xff" * 40))
    (problem,) = problems().values()
    assert problem.what == "is not UTF-8"


def test_broken_json_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2"""
    monkeypatch.setenv("BEDPLATE_SERVER__CORS_ORIGINS", '["a", ')
    assert "not JSON at character 6" in problems()["server.cors_origins"].what


def test_sources_cannot_say_where_they_are_themselves(folder: Path) -> None:
    """SET-2: a value that would come too late is refused, not ignored."""
    (folder / ".env").write_text("BEDPLATE_ENV_FILE=other.env\n")
    (folder / "bedplate.toml").write_text('config_file = "other.toml"\n')
    assert {key: problem.what for key, problem in problems().items()} == {
        "env_file": "is set where it comes too late",
        "config_file": "is set where it comes too late",
    }


def test_wildcard_origin_with_credentials_is_refused() -> None:
    """SET-2: any page could act as the user."""
    found = problems(server={"cors_origins": ["*"], "cors_allow_credentials": True})
    assert "server.cors_allow_credentials" in found
    SettingsService(server={"cors_origins": ["*"]})


SECRET = "hunter2-hunter2"


def secret_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The secret in wrong places of all sources."""
    monkeypatch.setenv("BEDPLATE_SECRET_KEY", SECRET)
    monkeypatch.setenv("BEDPLATE_SERVER__PORT", SECRET)
    monkeypatch.setenv("BEDPLATE_SERVER__CORS_ORIGINS", f"[{SECRET}")
    monkeypatch.setenv("BEDPLATE_PASSWORD", SECRET)
    (folder / ".env").write_text(f"BEDPLATE_TELEMETRY__LOG_LEVEL={SECRET}\nBEDPLATE_PROFILE='{SECRET}\n")
    (folder / "bedplate.toml").write_text(f'[auth]\nsign_up = "{SECRET}"\n')
    return {"database": {"url": [SECRET]}, "cache": {"ttl": SECRET}, "chat": SECRET}


def test_no_error_shows_a_value(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2, ALL-3: neither the error, nor what it was raised from, nor its parts."""
    with pytest.raises(SettingsError) as caught:
        SettingsService(**secret_everywhere(folder, monkeypatch))
    error = caught.value
    assert len(error.problems) == 10
    assert SECRET not in f"{error} {error!r} {error.why} {error.problems}"
    assert error.__cause__ is None
    assert error.__context__ is None


def test_secrets_are_masked_everywhere(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-2: in repr, str, dumps, and the debug log of pydantic-settings."""
    key = "0123456789-abcdefghij-ABCDEFGHIJ-!"
    monkeypatch.setenv("BEDPLATE_SECRET_KEY", key)
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    with caplog.at_level("DEBUG"):
        settings = SettingsService(telemetry={"scrape_token": key})
    values = settings.values
    assert values.secret_key is not None
    assert values.secret_key.get_secret_value() == key
    shown = f"{settings!r} {values!r} {values} {values.model_dump()} {values.model_dump_json()} {caplog.text}"
    assert "secret_key" in caplog.text
    assert key not in shown
    assert json.loads(values.model_dump_json())["secret_key"] == "**********"


@hypothesis_settings(deadline=None)
@given(st.sampled_from([key for key in FIELDS if len(key[-1]) > 5]), st.data())
def test_one_slip_of_the_pen_is_guessed(key: tuple[str, ...], data: st.DataObject) -> None:
    """SET-2: a letter left out, doubled or mistaken leads to a setting of the same group."""
    name = key[-1]
    place = data.draw(st.integers(1, len(name) - 1))
    before, letter, after = name[:place], name[place], name[place + 1 :]
    slip = data.draw(st.sampled_from([before + after, before + letter * 2 + after, f"{before}x{after}"]))
    meant = nearest((*key[:-1], slip), FIELDS)
    assert meant is not None
    assert meant[:-1] == key[:-1]
