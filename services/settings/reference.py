"""What can be set, generated from the models: every value with its origin, the JSON schema, a template of ``.env``."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from bedplate.services.settings.groups.flags import Flag
from bedplate.services.settings.keys import Key, dotted, environment_name, fields_of, is_secret
from bedplate.services.settings.meanings import meaning_of
from bedplate.services.settings.models import Settings
from bedplate.services.settings.service import SettingsService

__all__ = ["Setting", "default_of", "env_template", "json_schema", "settings_in_use"]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as it is.

    Attributes:
        key: Its name, such as ``"cache.ttl"``.
        value: Its value, JSON-like; that of a secret is masked.
        origin: Where the value came from.
        meaning: What it is for.
    """

    key: str
    value: Any
    origin: str
    meaning: str


def settings_in_use(settings: SettingsService) -> list[Setting]:
    """Every setting with its value and origin, in the order of the models; of a table, each entry."""
    return [
        Setting(
            key=name,
            value=to_jsonable_python(_shown(settings.value(name))),
            origin=settings.origin(name),
            meaning=meaning_of(Settings, key),
        )
        for key in fields_of(Settings)
        for name in _names(settings, key)
    ]


def json_schema() -> dict[str, Any]:
    """The JSON schema of ``bedplate.toml``, each setting described; nothing else is allowed in it."""
    schema = Settings.model_json_schema()
    for key in fields_of(Settings):
        place = schema
        for name in key[:-1]:
            place = schema["$defs"][place["properties"][name]["$ref"].rpartition("/")[2]]
        if meaning := meaning_of(Settings, key):
            place["properties"][key[-1]]["description"] = meaning
    return schema


def env_template() -> str:
    """A ``.env`` file in which every setting stands with its meaning and default, commented out."""
    return "\n".join(_template_lines()) + "\n"


def default_of(field: FieldInfo) -> str:
    """The default of a setting as it would be written in the environment; empty if there is none."""
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _shown(value: Any) -> Any:
    """A value as it would be written: a flag without rules is its default, unless that is a table itself."""
    if isinstance(value, Flag):
        plain = not value.rules and not isinstance(value.default, dict)
        return value.default if plain else value.model_dump(exclude_defaults=True)
    return value


def _names(settings: SettingsService, key: Key) -> list[str]:
    """The name of a setting; of a table that has entries, theirs."""
    value = settings.value(dotted(key))
    entries = [f"{dotted(key)}.{name}" for name in value] if isinstance(value, dict) else []
    return entries or [dotted(key)]


def _template_lines() -> Iterator[str]:
    yield "# Settings of Bedplate. Remove the # before a name to set it; `bedplate settings show` says what is in use."
    group: Key = ()
    for key, field in fields_of(Settings).items():
        if key[:-1] != group:
            group = key[:-1]
            yield f"\n# {dotted(group)}"
        note = " (a secret)" if is_secret(field) else ""
        yield f"\n# {meaning_of(Settings, key)}{note}"
        yield f"#{environment_name(key)}={default_of(field)}"
