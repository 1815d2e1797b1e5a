"""Start, stop, cancellation and restart (ALL-1, CACHE-6), and what is counted (CACHE-7)."""

import asyncio

import pytest

from bedplate.services.cache import MISS, CacheService
from bedplate.services.errors import UnavailableError
from bedplate.wiring.testing.cache.harness import CacheHarness, Capabilities, one
from bedplate.wiring.testing.cancellation import cancel_at_every_await

__all__ = ["Lifecycle"]


class Lifecycle(Capabilities):
    """ALL-1, CACHE-6 and CACHE-7."""

    async def test_statistics(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-7: hits, misses, loads and sizes, by namespace."""
        await cache.get("a")
        await cache.get_or_set("a", one)
        await cache.get_or_set("a", one)
        await cache.get_many(["a", "b"])
        await cache.get("a")
        await cache.purge()
        stats = cache.stats()
        assert (stats.hits, stats.misses, stats.loads, stats.failed_loads) == (3, 3, 1, 0)
        assert (stats.entries, stats.evictions) == (1, 0)
        assert cache.namespace("other").stats().hits == 0
        assert cache.statistics() == {"default": stats, "other": cache.namespace("other").stats()}

    async def test_a_cancelled_call_happens_wholly_or_not_at_all(self, cache: CacheService) -> None:
        """ALL-1: wherever a cancellation strikes, the cache works on, and no value is half written."""

        async def work() -> None:
            await cache.set_many({"a": [1], "b": [1]})
            await cache.upsert("a", {"x": 1})
            await cache.increment("n")
            await cache.get_many(["a", "b"])
            await cache.delete("b")
            await cache.get_or_set("c", one)
            await cache.clear()

        async def check(_cancelled: bool) -> None:
            found = await cache.get_many("abc")
            assert found.get("a") in (None, [1], {"x": 1})
            assert found.get("b") in (None, [1])
            assert found.get("a") != [1] or found.get("b") == [1]
            await cache.clear()
            assert await cache.get_or_set("d", one) == 1

        await cancel_at_every_await(work, check)

    async def test_start_and_stop(self, harness: CacheHarness) -> None:
        """ALL-1: stopped, it says so; started again, it works; health follows."""
        cache = await harness.cache()
        assert (await cache.health()).status == "up"
        await cache.set("a", [1])
        await asyncio.gather(cache.stop(), cache.stop())
        assert (await cache.health()).status == "down"
        for call in (cache.get("a"), cache.set("a", 1), cache.clear(), cache.get_or_set("a", one), cache.purge()):
            with pytest.raises(UnavailableError, match="not started"):
                await call
        await asyncio.gather(cache.start(), cache.start())
        assert await cache.get("a") == ([1] if self.survives_restart else MISS)
        await cache.set("a", 2)
        assert await cache.get("a") == 2

    async def test_stop_and_start_cancelled_anywhere(self, harness: CacheHarness) -> None:
        """ALL-1: a cancelled start or stop leaves nothing that another one does not put right."""
        cache = await harness.cache()

        async def restart() -> None:
            await cache.stop()
            await cache.start()

        async def check(_cancelled: bool) -> None:
            await cache.start()
            await cache.set("a", 1)
            assert await cache.get("a") == 1

        await cancel_at_every_await(restart, check)

    async def test_values_survive_a_restart(self, harness: CacheHarness) -> None:
        """CACHE-6: with their times to live and the order of their use."""
        self.require("survives_restart")
        first = await harness.cache(max_entries=3, ttl_jitter=0)
        await first.set_many({"a": {"x": (1,)}, "b": 2}, ttl=10)
        await first.set("c", 3)
        await harness.advance(4)
        await first.get("a")
        await first.stop()
        await harness.advance(1)
        second = await harness.cache(max_entries=3, ttl_jitter=0)
        assert await second.ttl("b") == pytest.approx(5, abs=1)
        await second.set("d", 4)
        kept = {"a": {"x": (1,)}, "c": 3, "d": 4}
        assert await second.get_many("abcd") == (kept if self.bounded else kept | {"b": 2})
        await harness.advance(6)
        assert await second.get_many("abcd") == {"c": 3, "d": 4}
