"""Types of an application's own that a cache may keep: how they are taken apart and made again."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import msgspec

from bedplate.services.cache.errors import UncacheableError

__all__ = ["Dump", "Load", "Registered", "register"]

Dump = Callable[[Any], Any]
Load = Callable[[Any], Any]


class Registered(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One registered type.

    Attributes:
        cls: The type; subclasses are types of their own.
        name: What it is called in encoded values.
        dump: Takes a value apart into values that can be encoded.
        load: Makes a value of what ``dump`` gave.
        verify: Whether every value is made again, and compared, before it is stored.
    """

    cls: type
    name: str
    dump: Dump
    load: Load
    verify: bool


def register(cls: type, *, name: str | None, dump: Dump | None, load: Load | None) -> Registered:
    """Find out how to take values of a type apart and make them again.

    Raises:
        UncacheableError: Its values cannot be compared, or nothing is known of how to take them apart.
    """
    name = name or f"{cls.__module__}:{cls.__qualname__}"
    if not _comparable(cls):
        raise UncacheableError(cls, why="it has no __eq__, so that no copy of a value can be told from another value")
    if dump is not None and load is not None:
        return Registered(cls=cls, name=name, dump=dump, load=load, verify=True)
    if dump is not None or load is not None:
        raise UncacheableError(cls, why="dump and load are given together or not at all")
    dump, load, verify = _known(cls)
    return Registered(cls=cls, name=name, dump=dump, load=load, verify=verify)


def _comparable(cls: type) -> bool:
    if issubclass(cls, msgspec.Struct):
        return cls.__struct_config__.eq
    return issubclass(cls, enum.Enum) or getattr(cls, "__eq__", None) is not getattr(object, "__eq__", None)


def _known(cls: type) -> tuple[Dump, Load, bool]:
    if issubclass(cls, msgspec.Struct):
        # A __post_init__ runs again when the value is made again, and may do anything to it.
        return _struct_fields, lambda parts: cls(**parts), hasattr(cls, "__post_init__")
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls)]
        return (
            lambda value: {name: getattr(value, name) for name in names},
            lambda parts: _dataclass_of(cls, names, parts),
            False,
        )
    if issubclass(cls, enum.Flag):
        return lambda value: value.value, cls, False
    if issubclass(cls, enum.Enum):
        return lambda value: value.name, cls.__getitem__, False
    if issubclass(cls, tuple) and hasattr(cls, "_make"):
        return list, cls._make, False
    raise UncacheableError(cls, why="it is no msgspec.Struct, dataclass, Enum or NamedTuple; give dump and load")


def _struct_fields(value: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _dataclass_of(cls: type, names: list[str], parts: dict[str, Any]) -> Any:
    # Without __init__, which may compute fields anew: the value had these, whatever made them so.
    if parts.keys() != set(names):
        raise TypeError(f"{cls.__qualname__} has other fields now")
    value: Any = object.__new__(cls)
    for name in names:
        object.__setattr__(value, name, parts[name])
    return value
