"""CACHE-5: values that go together by a tag."""

import asyncio
import math

import pytest

from bedplate.services.cache import MISS, CacheKeyError, CacheService
from bedplate.wiring.testing.cache.harness import CacheHarness, Capabilities, one
from bedplate.wiring.testing.cache.loads import Gate
from bedplate.wiring.testing.cancellation import cancel_at_every_await

__all__ = ["Tags"]


class Tags(Capabilities):
    """CACHE-5."""

    async def test_a_tag_takes_its_values_along(self, cache: CacheService) -> None:
        """CACHE-5: those that have it, in whatever way they were set, for every operation; and no other."""
        await cache.set("a", 1, tags=["user:1", "flow:1"])
        await cache.set_many({"b": [2], "c": 3}, tags=["user:1"])
        await cache.get_or_set("d", one, tags=["user:1"])
        await cache.upsert("e", {"x": 1}, tags=["user:1"])
        await cache.set("other user", 1, tags=["user:2", "flow:1"])
        await cache.set("no tag", 1)
        assert await cache.get_many(["a", "b", "c", "d"]) == {"a": 1, "b": [2], "c": 3, "d": 1}
        await cache.invalidate("user:1")
        assert await cache.get("a") is MISS
        assert await cache.get_many("abcde") == {}
        assert await cache.ttl("b") is None
        assert not await cache.exists("c")
        assert not await cache.touch("c", 5)
        assert not await cache.delete("d")
        assert await cache.upsert("e", {"y": 1}) == {"y": 1}
        assert await cache.increment("b") == 1
        assert await cache.get_many(["other user", "no tag"]) == {"other user": 1, "no tag": 1}
        await cache.invalidate("flow:1", "unknown")
        assert await cache.get("other user") is MISS
        assert await cache.get("no tag") == 1

    async def test_a_value_set_after_an_invalidation_stays(self, cache: CacheService) -> None:
        """CACHE-5: an invalidation looks back, not ahead, however often the tag was used before."""
        for number in range(3):
            await cache.set("a", number, tags=["t"])
            await cache.invalidate("t")
            assert await cache.get("a") is MISS
        await cache.set("a", "new", tags=["t"])
        assert await cache.get("a") == "new"
        await cache.purge()
        assert await cache.get("a") == "new"

    async def test_tags_belong_to_the_namespace(self, cache: CacheService) -> None:
        """CACHE-5: the same tag elsewhere is another one."""
        other = cache.namespace("other")
        await cache.set("a", 1, tags=["t"])
        await other.set("a", 2, tags=["t"])
        await other.invalidate("t")
        assert await cache.get("a") == 1
        assert await other.get("a") is MISS

    async def test_a_new_value_has_its_own_tags(self, cache: CacheService) -> None:
        """CACHE-5: set replaces the tags; upsert and increment keep those that are there; touch changes none."""
        await cache.set("a", 1, tags=["t"])
        await cache.set("a", 2)
        await cache.set("b", {"x": 1}, tags=["t"])
        await cache.upsert("b", {"y": 2}, tags=["u"])
        await cache.set("c", 1, tags=["t"])
        await cache.increment("c")
        await cache.set("d", 1, tags=["t"])
        await cache.touch("d", 50)
        await cache.set("e", 1, tags=["t"])
        await cache.upsert("e", 5, tags=["u"])
        await cache.invalidate("t")
        assert await cache.get_many("abcde") == {"a": 2}
        await cache.upsert("a", 3, tags=["u"])
        await cache.invalidate("u")
        assert await cache.get("a") is MISS

    async def test_what_was_loaded_before_an_invalidation_is_not_kept(self, cache: CacheService) -> None:
        """CACHE-5: those who wait get it; who asks after the invalidation gets a load of their own."""
        old, new, other = Gate("old"), Gate("new"), Gate("other")
        new.open.set()
        before = asyncio.create_task(cache.get_or_set("a", old.load, tags=["t", "u"]))
        unharmed = asyncio.create_task(cache.get_or_set("b", other.load, tags=["u"]))
        await asyncio.gather(old.entered.wait(), other.entered.wait())
        await cache.invalidate("t")
        assert await cache.get_or_set("a", new.load, tags=["t", "u"]) == "new"
        old.open.set()
        other.open.set()
        assert await before == "old"
        assert await unharmed == "other"
        assert await cache.get_many("ab") == {"a": "new", "b": "other"}

    async def test_what_another_part_of_the_program_loaded_before_is_not_kept(self, harness: CacheHarness) -> None:
        """CACHE-5: also where the invalidation comes from another cache on the same backend, while a load runs."""
        self.require("shared")
        here, there = await harness.cache(ttl_jitter=0), await harness.cache(ttl_jitter=0)
        gate = Gate("old")
        waiting = asyncio.create_task(here.get_or_set("a", gate.load, tags=["t"]))
        await gate.entered.wait()
        await there.invalidate("t")
        gate.open.set()
        assert await waiting == "old"
        assert await here.get("a") is MISS
        await here.set("b", 1, tags=["t"])
        assert await there.get("b") == 1
        await there.invalidate("t")
        assert await here.get("b") is MISS

    async def test_invalidated_values_are_purged(self, cache: CacheService) -> None:
        """CACHE-5: they take no room for longer than that; live ones of other tags stay."""
        await cache.set_many({str(number): number for number in range(50)}, ttl=math.inf, tags=["t"])
        await cache.set("a", 1, tags=["u"])
        await cache.invalidate("t")
        assert await cache.purge() == 0
        assert cache.stats().entries == 1
        assert await cache.get("a") == 1

    async def test_tags_are_remembered_for_as_long_as_it_takes(
        self, cache: CacheService, harness: CacheHarness
    ) -> None:
        """CACHE-5: a load that is slower than any memory of invalidations is not kept, rather than kept wrongly."""
        gate = Gate("old")
        waiting = asyncio.create_task(cache.get_or_set("a", gate.load, tags=["t"]))
        await gate.entered.wait()
        await cache.invalidate("t")
        await harness.advance(100_000)
        await cache.purge()
        await cache.invalidate("u")
        gate.open.set()
        assert await waiting == "old"
        assert await cache.get("a") is MISS
        assert await cache.get_or_set("a", one, tags=["t"]) == 1
        assert await cache.get("a") == 1

    async def test_tags_survive_a_restart(self, harness: CacheHarness) -> None:
        """CACHE-5: with the values that have them."""
        self.require("survives_restart")
        first = await harness.cache(ttl_jitter=0)
        await first.set_many({"a": 1, "b": 2}, tags=["t"])
        await first.set("c", 3, tags=["u"])
        await first.invalidate("u")
        await first.stop()
        second = await harness.cache(ttl_jitter=0)
        assert await second.get_many("abc") == {"a": 1, "b": 2}
        await second.invalidate("t")
        assert await second.get_many("abc") == {}

    async def test_an_impossible_tag_is_refused(self, harness: CacheHarness) -> None:
        """CACHE-5: by an error that says why; nothing has changed."""
        cache = await harness.cache(max_tags=2, max_key_bytes=10)
        await cache.set("a", 1, tags=["t"])
        wrong: tuple[object, ...] = ("t", [""], [1], ["x" * 11], ["\ud800"], ["a", "b", "c"], [None])
        for tags in wrong:
            for call in (
                cache.set("a", 2, tags=tags),  # type: ignore[arg-type]  # what is wrong with it is the point
                cache.get_or_set("b", one, tags=tags),  # type: ignore[arg-type]
                cache.upsert("a", 2, tags=tags),  # type: ignore[arg-type]
            ):
                with pytest.raises(CacheKeyError):
                    await call
        for tag in ("", 1, "x" * 11, "\ud800", None):
            with pytest.raises(CacheKeyError):
                await cache.invalidate(tag)  # type: ignore[arg-type]
        assert await cache.get_many("ab") == {"a": 1}

    async def test_writers_and_invalidations_at_once(self, cache: CacheService) -> None:
        """CACHE-5: a value is never older than the last invalidation that ended before it was read."""
        version = 0

        async def load() -> int:
            seen = version
            await asyncio.sleep(0)
            return seen

        async def change() -> None:
            nonlocal version
            for _ in range(30):
                version += 1
                await cache.invalidate("t")
                await asyncio.sleep(0)

        async def look() -> None:
            for _ in range(100):
                before = invalidated()
                assert await cache.get_or_set("a", load, tags=["t"]) >= before
                await asyncio.sleep(0)

        done = 0

        def invalidated() -> int:
            return done

        async def count() -> None:
            nonlocal done, version
            for _ in range(30):
                version += 1
                latest = version
                await cache.invalidate("t")
                done = max(done, latest)
                await asyncio.sleep(0)

        await asyncio.gather(count(), change(), *(look() for _ in range(5)))
        await cache.invalidate("t")
        assert await cache.get_or_set("a", load, tags=["t"]) == version == 60

    async def test_an_invalidation_cancelled_at_any_await(self, cache: CacheService) -> None:
        """ALL-1: it has taken all of its values or none."""

        async def work() -> None:
            await cache.set_many({"a": 1, "b": 2}, tags=["t", "u"])
            await cache.invalidate("t", "u")

        async def check(_cancelled: bool) -> None:
            assert set(await cache.get_many("ab")) in ({"a", "b"}, set())
            await cache.clear()

        await cancel_at_every_await(work, check)
