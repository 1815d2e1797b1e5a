"""CACHE-3: bounded in time, number and size."""

import math

import pytest

from bedplate.services.cache import MISS, CacheService, CacheValueTooLargeError
from bedplate.wiring.testing.cache.harness import CacheHarness, Capabilities, one

__all__ = ["Bounds"]


class Bounds(Capabilities):
    """CACHE-3."""

    async def test_expired_values_are_in_no_answer(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-3: once its time is over, a value is gone for every operation."""
        await cache.set_many({key: {"n": 1} for key in "abcdefg"}, ttl=5)
        await harness.advance(6)
        assert await cache.get("a") is MISS
        assert await cache.get_many("ab") == {}
        assert await cache.ttl("c") is None
        assert not await cache.delete("d")
        assert await cache.upsert("e", {"m": 2}) == {"m": 2}
        assert await cache.get_or_set("f", one) == 1
        assert await cache.clear() == 2

    async def test_expired_values_are_purged(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-3: without anybody asking for them; everything else stays."""
        await cache.set_many({"a": 1, "b": 2}, ttl=5)
        await cache.namespace("other").set("c", 3, ttl=5)
        await cache.set("d", 4, ttl=50)
        await cache.set("e", 5, ttl=math.inf)
        await cache.set("f", 6, ttl=5)
        await cache.touch("f", 50)
        await harness.advance(6)
        assert await cache.purge() == (3 if self.counts_expired else 0)
        assert cache.stats().entries == 3
        assert cache.namespace("other").stats().entries == 0
        assert await cache.get_many("abdef") == {"d": 4, "e": 5, "f": 6}

    async def test_jitter_shortens_the_time_to_live(self, harness: CacheHarness) -> None:
        """CACHE-3: values set together end apart, never later than asked for, and never much earlier."""
        cache = await harness.cache(ttl_jitter=0.5)
        await cache.set_many({str(number): number for number in range(5)}, ttl=100)
        for number in range(5, 50):
            await cache.set(str(number), number, ttl=100)
        left = {await cache.ttl(str(number)) for number in range(50)}
        assert len(left) > 20
        assert all(seconds is not None and 48 <= seconds <= 100 for seconds in left)
        await cache.touch("0", 100)
        assert await cache.ttl("0") == pytest.approx(100, abs=1)

    async def test_the_least_recently_used_go_first(self, harness: CacheHarness) -> None:
        """CACHE-3: when there are too many entries, across namespaces, and counted."""
        self.require("bounded")
        cache = await harness.cache(max_entries=4)
        other = cache.namespace("other")
        for where, key in ((cache, "a"), (other, "b"), (cache, "c"), (other, "d")):
            await where.set(key, key)
            await harness.advance(0.01)
        await cache.get("a")
        await harness.advance(0.01)
        await other.get_many(["b"])
        await harness.advance(0.01)
        await cache.set("e", "e")
        await harness.advance(0.01)
        await cache.set("f", "f")
        assert await cache.get_many("acef") == {"a": "a", "e": "e", "f": "f"}
        assert await other.get_many("bd") == {"b": "b"}
        assert (cache.stats().evictions, other.stats().evictions) == (1, 1)

    async def test_a_write_is_a_use(self, harness: CacheHarness) -> None:
        """CACHE-3: and later than the reads before it."""
        self.require("bounded")
        cache = await harness.cache(max_entries=3)
        for call in (
            cache.set_many({"a": 1, "b": 2, "c": 3}),
            cache.get("a"),
            cache.get("b"),
            cache.set("a", 4),
            cache.set("d", 5),
            cache.set("e", 6),
        ):
            await call
            await harness.advance(0.01)
        assert await cache.get_many("abcde") == {"a": 4, "d": 5, "e": 6}

    async def test_writing_again_at_the_limit_evicts_nobody(self, harness: CacheHarness) -> None:
        """CACHE-3: an entry that replaces itself needs no more room."""
        self.require("bounded")
        cache = await harness.cache(max_entries=3)
        await cache.set_many({"a": 1, "b": 2, "c": 3})
        for number in range(5):
            await cache.set("b", number)
            await cache.increment("c")
            await cache.upsert("a", number)
        assert await cache.get_many("abc") == {"a": 4, "b": 4, "c": 8}
        assert cache.stats().evictions == 0

    async def test_bytes_are_bounded(self, harness: CacheHarness) -> None:
        """CACHE-3: by the size of keys and encoded values."""
        self.require("bounded")
        cache = await harness.cache(max_bytes=1_000)
        for number in range(9):
            await cache.set(f"k{number}", b"x" * 198)
            await harness.advance(0.01)
        await cache.purge()
        assert (cache.stats().entries, cache.stats().bytes) == (5, 1_000)
        assert list(await cache.get_many(f"k{number}" for number in range(9))) == ["k4", "k5", "k6", "k7", "k8"]
        await cache.set("k9", b"x" * 998)
        assert await cache.get_many(f"k{number}" for number in range(10)) == {"k9": b"x" * 998}

    async def test_what_has_expired_makes_room_first(self, harness: CacheHarness) -> None:
        """CACHE-3: a live value is not evicted while there are dead ones."""
        self.require("bounded")
        cache = await harness.cache(max_entries=3)
        await cache.set("old", 1, ttl=100)
        await harness.advance(1)
        await cache.set_many({"a": 1, "b": 2}, ttl=5)
        await harness.advance(6)
        await cache.set("new", 2, ttl=100)
        assert await cache.get_many(["old", "new"]) == {"old": 1, "new": 2}
        assert cache.stats().evictions == 0

    async def test_too_large_a_value_is_refused(self, harness: CacheHarness) -> None:
        """CACHE-3: by an error that names the setting; what was there stays, and a loaded value is passed on."""
        cache = await harness.cache(max_value_bytes=100, max_bytes=10_000)
        await cache.set("a", "before")
        for call in (cache.set("a", "x" * 200), cache.set_many({"b": 1, "a": "x" * 200}), cache.upsert("a", "x" * 200)):
            with pytest.raises(CacheValueTooLargeError, match="MAX_VALUE_BYTES"):
                await call
        assert await cache.get_many("ab") == {"a": "before"}

        async def load() -> str:
            return "x" * 200

        assert await cache.get_or_set("c", load) == "x" * 200
        assert await cache.get("c") is MISS
        assert cache.stats().unstored == 1
