"""The names of the settings: read from the model, spelt for each source, guessed where one is misspelt."""

import difflib
import functools
import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Key",
    "dotted",
    "environment_name",
    "fields_of",
    "groups_of",
    "is_secret",
    "is_table",
    "nearest",
    "tables_of",
    "types_of",
]

Key = tuple[str, ...]
"""The names from the top to a setting: ``("cache", "max_entries")``."""

ENVIRONMENT_PREFIX = "BEDPLATE_"


def dotted(key: Key) -> str:
    """The key as people write it: ``"cache.max_entries"``."""
    return ".".join(key)


def environment_name(key: Key) -> str:
    """The environment variable of the key: ``"BEDPLATE_CACHE__MAX_ENTRIES"``."""
    return ENVIRONMENT_PREFIX + "__".join(key).upper()


@functools.cache
def fields_of(model: type[BaseModel]) -> Mapping[Key, FieldInfo]:
    """Every setting below ``model``, groups themselves left out, in the order of definition."""
    return MappingProxyType(dict(_walk(model, ())))


@functools.cache
def groups_of(model: type[BaseModel]) -> frozenset[Key]:
    """Every group below ``model``."""
    return frozenset(key[:depth] for key in fields_of(model) for depth in range(1, len(key)))


@functools.cache
def tables_of(model: type[BaseModel]) -> frozenset[Key]:
    """Every setting below ``model`` that is a table of names of the operator's choice."""
    return frozenset(key for key, field in fields_of(model).items() if is_table(field))


def types_of(field: FieldInfo) -> frozenset[Any]:
    """The types that the setting may have, unions and annotations resolved, parameters left out."""
    return frozenset(_types(field.annotation))


def is_secret(field: FieldInfo) -> bool:
    """Whether the value of the setting, or a part of it, must be masked."""
    return _holds_secrets(field.annotation)


def is_table(field: FieldInfo) -> bool:
    """Whether the setting is a table whose names are not known beforehand."""
    return dict in types_of(field)


def nearest(key: Key, known: Collection[Key]) -> Key | None:
    """The known key that is most probably meant by ``key``; None if there is no good guess."""
    spelt = {_squash(other): other for other in known}
    if same := spelt.get(_squash(key)):
        return same
    siblings = {other[-1]: other for other in known if other[:-1] == key[:-1]}
    if close := difflib.get_close_matches(key[-1], siblings, n=1, cutoff=0.7):
        return siblings[close[0]]
    namesakes = {dotted(other[:-1]): other for other in known if other[-1] == key[-1]}
    if len(namesakes) == 1:
        return next(iter(namesakes.values()))
    if close := difflib.get_close_matches(dotted(key[:-1]), namesakes, n=1):
        return namesakes[close[0]]
    if close := difflib.get_close_matches(_squash(key), spelt, n=1, cutoff=0.7):
        return spelt[close[0]]
    names = {other[-1]: other for other in known}
    close = difflib.get_close_matches(key[-1], names, n=1, cutoff=0.8)
    return names[close[0]] if close else None


def _walk(model: type[BaseModel], above: Key) -> Iterator[tuple[Key, FieldInfo]]:
    for name, field in model.model_fields.items():
        annotation: Any = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _walk(annotation, (*above, name))
        else:
            yield (*above, name), field


def _types(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _types(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _types(part)
    else:
        yield origin or annotation


def _holds_secrets(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_holds_secrets, get_args(annotation)))


def _squash(key: Key) -> str:
    return re.sub(r"[^a-z0-9]", "", "".join(key).lower())
