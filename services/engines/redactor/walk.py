"""A bounded, redacted copy of any value, made of what JSON knows."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from bedplate.services.engines.redactor.names import SecretNames
from bedplate.services.engines.redactor.spans import MASK

__all__ = ["COST_OF_NODE", "Limits", "Measured", "Walk"]

COST_OF_NODE = 8
"""Bytes that the punctuation around a value, or a number, is taken to need."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a value is copied; what is beyond is replaced by a marker that says how much it was.

    Attributes:
        depth: Most levels of nested containers.
        items: Most values, over all levels.
        size: Most bytes of JSON, roughly; None for no limit.
        text: Most characters of each text; None for no limit.
    """

    depth: int = 64
    items: int = 100_000
    size: int | None = None
    text: int | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A copy and what it takes.

    Attributes:
        value: The copy.
        size: Its size in bytes of JSON, roughly.
    """

    value: Any
    size: int


class Walk:
    """One copy in the making.

    Args:
        text: Masks a text of which at most so many characters are wanted.
        names: The names of fields whose values are masked whole.
        limits: How much is copied.
    """

    def __init__(
        self,
        text: Callable[[str, int], str],
        names: SecretNames,
        limits: Limits,
    ) -> None:
        self._mask = text
        self._names = names
        self._depth = limits.depth
        self._items = limits.items
        self._size = limits.size if limits.size is not None else 2**62
        self._longest = limits.text if limits.text is not None else self._size
        self._path: set[int] = set()
        self.used = 0

    def copy(self, value: Any) -> Any:
        """Return the copy of ``value``; what cannot be read is a marker, for nothing raises an ``Exception``."""
        self._items -= 1
        self.used += COST_OF_NODE
        try:
            return self._copy(value)
        except Exception:
            return f"[unreadable {type(value).__qualname__}]"

    def _copy(self, value: Any) -> Any:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Enum):
            return self.copy(value.value)
        if isinstance(value, int):
            return self._integer(int(value))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        if (fields := _fields_of(value)) is not None:
            return self._nested(value, lambda: self._mapping(fields))
        if isinstance(value, list | tuple | set | frozenset):
            return self._nested(value, lambda: self._sequence(value))
        return self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, UUID | Decimal | PurePath):
            return self._text(str(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        if isinstance(value, BaseException):
            return self._text(f"{type(value).__qualname__}: {value}")
        if hasattr(value, "get_secret_value"):
            return MASK
        return f"[{type(value).__module__}.{type(value).__qualname__}]"

    def _integer(self, value: int) -> int | str:
        if not -(2**63) <= value < 2**63:
            return f"[integer of {value.bit_length()} bits]"
        digits = str(value)
        return value if self._mask(digits, len(digits)) == digits else MASK

    def _bytes(self, value: bytes) -> str:
        try:
            return self._text(value.decode())
        except UnicodeDecodeError:
            return f"[{len(value)} bytes]"

    def _nested(self, value: Any, copy: Callable[[], Any]) -> Any:
        if id(value) in self._path:
            return "[cycle]"
        if len(self._path) >= self._depth:
            return "[too deep]"
        self._path.add(id(value))
        try:
            return copy()
        finally:
            self._path.discard(id(value))

    def _mapping(self, fields: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        # Taken at once: the owner may change it meanwhile, in another thread.
        pairs = list(islice(fields, max(self._items, 0) + 1))
        tells_of_secret = self._tells_of_secret(pairs)
        result: dict[str, Any] = {}
        for key, value in pairs:
            if self._exhausted():
                result["[cut]"] = "more fields"
                break
            name = key if isinstance(key, str) else _name_of(key)
            hidden = name in self._names or (tells_of_secret and name == "value")
            shown = self._unused(self._text(name), result)
            result[shown] = self._hide(value) if hidden else self.copy(value)
        return result

    def _tells_of_secret(self, pairs: list[tuple[Any, Any]]) -> bool:
        """Whether the field ``value`` is a secret by its siblings, as in ``{"name": "API_KEY", "value": …}``."""
        return any(
            (key in ("name", "key") and isinstance(value, str) and value in self._names)
            or (key == "password" and value is True)
            for key, value in pairs
            if isinstance(key, str)
        )

    def _sequence(self, value: Iterable[Any]) -> list[Any]:
        items = list(islice(value, max(self._items, 0) + 1))
        # A header or a query parameter as a pair.
        if len(items) == 2 and isinstance(items[0], str | bytes) and _name_of(items[0]) in self._names:
            return [self.copy(items[0]), self._hide(items[1])]
        result: list[Any] = []
        for item in items:
            if self._exhausted():
                result.append("[cut: more items]")
                break
            result.append(self.copy(item))
        return result

    def _hide(self, value: Any) -> Any:
        """Mask a whole value; what is empty or a flag says nothing."""
        self._items -= 1
        self.used += COST_OF_NODE
        return value if value is None or value is True or value is False or value == "" else MASK

    def _exhausted(self) -> bool:
        return self._items <= 0 or self.used >= self._size

    def _text(self, value: str) -> str:
        wanted = min(_fitting(value, max(self._size - self.used, 0)), self._longest)
        masked = self._mask(value, wanted)
        if wanted < len(value):
            masked += f"… [cut: {len(value) - wanted} characters]"
        if not masked.isascii():
            masked = masked.encode("utf-8", "replace").decode()
        self.used += len(masked)
        return masked

    @staticmethod
    def _unused(name: str, taken: Mapping[str, Any]) -> str:
        """Tell apart keys that were masked to the same text."""
        if name not in taken:
            return name
        return next(numbered for n in range(2, len(taken) + 3) if (numbered := f"{name} ({n})") not in taken)


def _fields_of(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the fields of a mapping, a struct, a dataclass or a pydantic model; None for anything else."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, msgspec.Struct):
        return ((name, getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    if hasattr(type(value), "model_fields"):
        return ((name, getattr(value, name)) for name in type(value).model_fields)
    return None


def _name_of(key: Any) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def _fitting(text: str, size: int) -> int:
    """Return how many characters of ``text`` have at most ``size`` bytes in UTF-8."""
    head = text[:size]
    if head.isascii():
        return len(head)
    return len(head.encode("utf-8", "replace")[:size].decode("utf-8", "ignore"))
