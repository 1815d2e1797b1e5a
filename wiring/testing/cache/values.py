"""CACHE-4: values come back as they were, or are refused, and are nobody else's."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from bedplate.services.cache import CacheService, UncacheableError
from bedplate.wiring.testing.cache.harness import Capabilities, one

__all__ = ["VALUES", "Values", "same"]


class Plain:
    """A type that no cache knows."""


VALUES: dict[str, Any] = {
    "none": None,
    "bool": True,
    "int": -5,
    "big int": 2**100,
    "float": 1.5,
    "text": "naïve ☃ 𝄞",
    "odd text": "\ud800",
    "empty": "",
    "bytes": b"\x80raw, no pickle",
    "bytearray": bytearray(b"ab"),
    "uuid": UUID(int=7),
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "date": date(2026, 1, 2),
    "timedelta": timedelta(days=-1, microseconds=5),
    "decimal": Decimal("1.10"),
    "list": [1, [2, {"a": None}]],
    "tuple": (1, ("a", b"b")),
    "set": {1, 2},
    "frozenset": frozenset({("a", 1)}),
    "dict": {"a": {"b": [1]}, "c": {1: (2,), (3, 4): None}},
}


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of the same types at every level."""
    if type(left) is not type(right) or left != right:
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=True)
        return all(same(a, b) and same(x, y) for (a, x), (b, y) in pairs)
    if isinstance(left, list | tuple):
        return all(map(same, left, right))
    return True


class Values(Capabilities):
    """CACHE-4."""

    @pytest.mark.parametrize("name", list(VALUES))
    async def test_values_come_back_as_they_were(self, cache: CacheService, name: str) -> None:
        """CACHE-4: equal, and of the same type at every level."""
        await cache.set("a", VALUES[name])
        assert same(await cache.get("a"), VALUES[name])
        assert same((await cache.get_many(["a"]))["a"], VALUES[name])
        assert same(await cache.get_or_set("a", one), VALUES[name])
        assert same(await cache.upsert("a", lambda value: value), VALUES[name])

    @pytest.mark.parametrize("value", [Plain(), [{"a": Plain()}], {1: (Plain(),)}, object, print])
    async def test_what_would_not_come_back_is_refused(self, cache: CacheService, value: Any) -> None:
        """CACHE-4: by an error that names the type and where it stands; what was there stays."""
        await cache.set("a", "before")
        with pytest.raises(UncacheableError, match=r"type .*(Plain|type|builtin_function_or_method).*value"):
            await cache.set("a", value)
        assert await cache.get("a") == "before"

    async def test_nobody_shares_a_value(self, cache: CacheService) -> None:
        """CACHE-4: changing what one put in or got out changes nothing for anybody else."""
        mine = {"list": [1]}
        await cache.set("a", mine)
        mine["list"].append(2)
        first = await cache.get("a")
        first["list"].append(3)
        second = await cache.upsert("a", lambda value: value)
        second["list"].append(4)
        assert await cache.get("a") == {"list": [1]}

        async def load() -> dict[str, list[int]]:
            return mine

        loaded = await asyncio.gather(*(cache.get_or_set("b", load) for _ in range(3)))
        loaded[0]["list"].append(5)
        assert loaded[1] == loaded[2] == await cache.get("b") == {"list": [1, 2]}
