"""What can be set, generated from the models: every value with its origin, the JSON schema, a template of ``.env``."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

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
    """Every setting with its value and origin, in the order of the models."""
    return [
        Setting(
            key=dotted(key),
            value=to_jsonable_python(settings.value(dotted(key))),
            origin=settings.origin(dotted(key)),
            meaning=meaning_of(Settings, key),
        )
        for key in fields_of(Settings)
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
