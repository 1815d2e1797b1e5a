"""``bedplate settings``: show, schema, env."""

import itertools
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.settings import Settings, SettingsService
from bedplate.services.settings.keys import dotted, environment_name, fields_of

KEYS = fields_of(Settings)
SECRET = "k3Zr-8Qw1-given-by-the-operator-0987654321"


@pytest.fixture(autouse=True)
def no_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEDPLATE_PROFILE")


def test_show_prints_every_setting_with_its_origin(
    bedplate: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-1: nothing is started, nothing is written."""
    monkeypatch.setenv("BEDPLATE_CACHE__TTL", "5")
    monkeypatch.setenv("BEDPLATE_SECRET_KEY", SECRET)
    result = bedplate("settings", "show")
    assert result.code == 0
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert set(lines) == {"setting", *map(dotted, KEYS)}
    assert lines["cache.ttl"].split(maxsplit=2)[1:] == ["5.0", "environment BEDPLATE_CACHE__TTL"]
    assert lines["secret_key"].split(maxsplit=2)[1:] == ["**********", "environment BEDPLATE_SECRET_KEY"]
    assert SECRET not in result.out
    assert list(folder.iterdir()) == []


def test_show_as_json(bedplate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1"""
    monkeypatch.setenv("BEDPLATE_SERVER__CORS_ORIGINS", "https://a.example,https://b.example")
    monkeypatch.setenv("BEDPLATE_SECRET_KEY", SECRET)
    result = bedplate("settings", "show", "--format", "json")
    shown = json.loads(result.out)
    assert list(shown) == [dotted(key) for key in KEYS]
    assert shown["server.cors_origins"] == {
        "value": ["https://a.example", "https://b.example"],
        "origin": "environment BEDPLATE_SERVER__CORS_ORIGINS",
    }
    assert shown["data_dir"]["value"] == str(Path.cwd() / "data")
    assert SECRET not in result.out


def test_show_changed_leaves_out_defaults(bedplate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-1"""
    monkeypatch.setenv("BEDPLATE_CHAT__REQUIRED", "false")
    assert json.loads(bedplate("settings", "show", "--changed", "--format", "json").out) == {
        "chat.required": {"value": False, "origin": "environment BEDPLATE_CHAT__REQUIRED"}
    }


def test_schema_describes_every_setting_and_allows_no_other(bedplate: Callable[..., Any]) -> None:
    """SET-2: editors that know the schema find misspelt names in bedplate.toml."""
    schema = json.loads(bedplate("settings", "schema").out)
    for key in KEYS:
        place = schema
        for name in key[:-1]:
            assert place["additionalProperties"] is False
            place = schema["$defs"][place["properties"][name]["$ref"].rpartition("/")[2]]
        assert place["properties"][key[-1]]["description"], key


def test_env_template_is_a_complete_env_file(bedplate: Callable[..., Any], folder: Path) -> None:
    """SET-1: every setting stands in it with its meaning; the defaults, when uncommented, are the defaults."""
    template = bedplate("settings", "env").out
    lines = template.splitlines()
    names = [line[1:].partition("=")[0] for line in lines if line.startswith("#BEDPLATE_")]
    assert names == [environment_name(key) for key in KEYS]
    for before, line in itertools.pairwise(lines):
        if line.startswith("#BEDPLATE_"):
            assert len(before) > len("# a word"), line
    (folder / ".env").write_text(template)
    of_comments = SettingsService()
    assert all(of_comments.origin(dotted(key)) == "default" for key in KEYS)
    plain = SettingsService().values
    given = [line[1:] for line in lines if line.startswith("#BEDPLATE_") and not line.endswith("=")]
    (folder / ".env").write_text("\n".join(line for line in given if "_FILE=" not in line))
    settings = SettingsService()
    assert settings.values == plain
    assert settings.origin("cache.ttl") == f"{folder / '.env'} BEDPLATE_CACHE__TTL"


def test_what_show_prints_can_be_a_configuration_file(bedplate: Callable[..., Any]) -> None:
    """SET-1: the names that are shown are those of bedplate.toml."""
    shown = json.loads(bedplate("settings", "show", "--format", "json").out)
    document = tomllib.loads(
        "\n".join(f"{key} = {json.dumps(one['value'])}" for key, one in shown.items() if one["value"] is not None)
    )
    del document["config_file"], document["env_file"]
    assert SettingsService(**document).values == SettingsService().values
