"""CACHE-1: the operations, on one namespace and beside others."""

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

from bedplate.services.cache import MISS, CacheKeyError, CacheService, NotANumberError, UncacheableError
from bedplate.wiring.testing.cache.harness import CacheHarness, Capabilities, one

__all__ = ["Operations"]


class Operations(Capabilities):
    """CACHE-1."""

    async def test_get_answers_what_was_set(self, cache: CacheService) -> None:
        """CACHE-1: a value until it is deleted, and a falsy MISS where there is none."""
        assert await cache.get("a") is MISS
        assert not MISS
        await cache.set("a", 1)
        assert await cache.get("a") == 1
        await cache.set("a", 2)
        assert await cache.get("a") == 2
        assert await cache.delete("a")
        assert await cache.get("a") is MISS
        assert not await cache.delete("a")

    async def test_none_is_a_value(self, cache: CacheService) -> None:
        """CACHE-1: None, False, 0 and empty values are not misses."""
        values: list[Any] = [None, False, 0, "", b"", [], {}]
        for value in values:
            await cache.set("a", value)
            assert await cache.get("a") == value
            assert await cache.get("a") is not MISS

    async def test_exists(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-1: false for what was never there, deleted or expired."""
        assert not await cache.exists("a")
        await cache.set("a", 1, ttl=10)
        assert await cache.exists("a")
        await harness.advance(11)
        assert not await cache.exists("a")

    async def test_ttl(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-1: seconds left, infinite without an end, None without a value."""
        assert await cache.ttl("a") is None
        await cache.set("a", 1, ttl=10)
        await cache.set("b", 1, ttl=math.inf)
        await cache.set("c", 1, ttl=timedelta(minutes=1))
        await harness.advance(4)
        assert await cache.ttl("a") == pytest.approx(6, abs=1)
        assert await cache.ttl("b") == math.inf
        assert await cache.ttl("c") == pytest.approx(56, abs=1)

    async def test_no_ttl_means_the_default(self, harness: CacheHarness) -> None:
        """CACHE-3: None is the setting, not an error; 0 in the setting means no end."""
        cache = await harness.cache(ttl=20, ttl_jitter=0)
        await cache.set("a", 1, ttl=None)
        assert await cache.ttl("a") == pytest.approx(20, abs=1)
        endless = await harness.cache(ttl=0)
        await endless.set("a", 1)
        assert await endless.ttl("a") == math.inf

    @pytest.mark.parametrize("ttl", [0, -1, float("nan"), timedelta(0), "soon"])
    async def test_an_impossible_ttl_is_refused(self, cache: CacheService, ttl: Any) -> None:
        with pytest.raises(CacheKeyError, match="cannot live"):
            await cache.set("a", 1, ttl=ttl)
        assert await cache.get("a") is MISS

    async def test_touch(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-1: a new time to live from now on, for what is there."""
        assert not await cache.touch("a", 10)
        await cache.set("a", 1, ttl=10)
        await harness.advance(9)
        assert await cache.touch("a", 10)
        await harness.advance(9)
        assert await cache.get("a") == 1
        await harness.advance(2)
        assert await cache.get("a") is MISS
        assert not await cache.touch("a", 10)

    async def test_increment(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-1: counts from 0, by any amount; a number that is there keeps its time."""
        assert await cache.increment("n", ttl=10) == 1
        await harness.advance(8)
        assert await cache.increment("n", 5, ttl=10) == 6
        assert await cache.increment("n", -0.5) == 5.5
        assert await cache.ttl("n") == pytest.approx(2, abs=1)
        await harness.advance(3)
        assert await cache.increment("n") == 1
        assert await cache.get("n") == 1

    async def test_increment_is_atomic(self, cache: CacheService) -> None:
        """CACHE-1: no increment is lost among many at once."""
        await asyncio.gather(*(cache.increment("n") for _ in range(200)))
        assert await cache.get("n") == 200

    @pytest.mark.parametrize("value", ["1", True, None, [1]])
    async def test_increment_refuses_what_is_no_number(self, cache: CacheService, value: Any) -> None:
        await cache.set("a", value)
        with pytest.raises(NotANumberError, match=type(value).__name__):
            await cache.increment("a")
        assert await cache.get("a") == value

    async def test_many(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-1: get_many answers those that are there; set_many sets all."""
        await cache.set_many({"a": 1, "b": [2], "c": b"3"}, ttl=10)
        await cache.set("d", 4, ttl=5)
        await harness.advance(6)
        assert await cache.get_many(["a", "b", "c", "d", "e", "a"]) == {"a": 1, "b": [2], "c": b"3"}
        assert await cache.get_many([]) == {}
        many = {f"k{number}": number for number in range(1_500)}
        await cache.set_many(many)
        assert await cache.get_many(many) == many

    async def test_set_many_sets_all_or_nothing(self, cache: CacheService) -> None:
        with pytest.raises(UncacheableError):
            await cache.set_many({"a": 1, "b": object()})
        assert await cache.get("a") is MISS

    async def test_upsert(self, cache: CacheService) -> None:
        """CACHE-1: merges into a dict, computes with a function, replaces anything else; answers the new value."""
        assert await cache.upsert("a", {"x": 1}) == {"x": 1}
        assert await cache.upsert("a", {"y": (2,)}) == {"x": 1, "y": (2,)}
        assert await cache.get("a") == {"x": 1, "y": (2,)}
        assert await cache.upsert("a", [3]) == [3]
        assert await cache.upsert("a", lambda value: [*value, 4]) == [3, 4]
        assert await cache.upsert("b", lambda value: "made" if value is MISS else "found") == "made"

    async def test_upsert_is_atomic(self, cache: CacheService) -> None:
        """CACHE-1: no update is lost among many at once, and none waits for itself."""
        merges = (cache.upsert("d", {str(number): number}) for number in range(100))
        appends = (cache.upsert("l", lambda value, n=n: [*(value or []), n]) for n in range(100))
        await asyncio.gather(*merges, *appends)
        assert len(await cache.get("d")) == 100
        assert sorted(await cache.get("l")) == list(range(100))

    @pytest.mark.parametrize("error", [ValueError("no"), OSError("no"), KeyError("no")])
    async def test_a_failing_upsert_changes_nothing(self, cache: CacheService, error: Exception) -> None:
        def fail(_value: Any) -> Any:
            raise error

        await cache.set("a", 1)
        with pytest.raises(type(error)) as caught:
            await cache.upsert("a", fail)
        assert caught.value is error
        with pytest.raises(UncacheableError):
            await cache.upsert("a", object())
        assert await cache.get("a") == 1
        assert await cache.upsert("a", 2) == 2

    async def test_clear_touches_its_own_namespace_only(self, cache: CacheService) -> None:
        """CACHE-1: namespaces share no key, and clearing one clears no other."""
        other = cache.namespace("other")
        assert other is cache.namespace("other")
        assert other is not cache
        await cache.set_many({"a": 1, "b": 2})
        await other.set_many({"a": 3})
        assert await cache.clear() == 2
        assert await cache.get("a") is MISS
        assert await other.get("a") == 3
        assert await other.delete("a")
        assert await cache.clear() == 0

    async def test_names_that_look_alike_do_not_meet(self, cache: CacheService) -> None:
        """CACHE-1: no namespace and key can be mistaken for another namespace and key."""
        await cache.namespace("a").set("b:c", 1)
        assert await cache.namespace("a:b").get("c") is MISS
        await cache.set("100%", 1)
        assert await cache.get("100_") is MISS

    @pytest.mark.parametrize("key", ["", 5, None, b"a", ["a"], "x" * 2000, "\ud800"])
    async def test_an_impossible_key_is_refused(self, cache: CacheService, key: Any) -> None:
        """CACHE-1: every operation answers the same typed error, and nothing is stored."""
        for call in (
            cache.get,
            cache.delete,
            cache.exists,
            cache.ttl,
            cache.touch,
            cache.increment,
            lambda k: cache.set(k, 1),
            lambda k: cache.upsert(k, 1),
            lambda k: cache.get_or_set(k, one),
        ):
            with pytest.raises(CacheKeyError):
                await call(key)
        assert await cache.clear() == 0

    @pytest.mark.parametrize("name", ["", "a b", "x" * 65, "ü"])
    async def test_an_impossible_namespace_is_refused(self, cache: CacheService, name: str) -> None:
        with pytest.raises(CacheKeyError, match="not a namespace"):
            cache.namespace(name)

    async def test_namespaces_are_bounded(self, harness: CacheHarness) -> None:
        cache = await harness.cache(max_namespaces=3)
        cache.namespace("a")
        cache.namespace("b")
        with pytest.raises(CacheKeyError, match="MAX_NAMESPACES"):
            cache.namespace("c")
        assert cache.namespace("a").name == "a"
