"""CACHE-5: values whose time is over, and loaders that are slow, hang or fail."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from bedplate.services.cache import MISS, CacheKeyError, CacheService, LoadTimeoutError, UncacheableError
from bedplate.wiring.testing.cache.harness import CacheHarness, Capabilities, one
from bedplate.wiring.testing.cache.loads import Gate

__all__ = ["StaleValues"]

_SOON = 0.01


class Stubborn:
    """A loader that heeds no cancellation until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.ended = 0

    async def load(self) -> str:
        self.entered += 1
        while not self.open.is_set():
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                continue
        self.ended += 1
        return "too late"


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the end of a task that nobody waits for is no event
            await asyncio.sleep(0)


class StaleValues(Capabilities):
    """CACHE-5."""

    async def test_a_stale_value_is_answered_while_one_load_makes_a_new_one(
        self, cache: CacheService, harness: CacheHarness
    ) -> None:
        """CACHE-5: stale-while-revalidate: nobody waits, one load runs, and the next caller gets its value."""
        gate = Gate({"v": 2})
        await cache.get_or_set("a", Gate({"v": 1}, opened=True).load, 10, stale_while_revalidate=60)
        await harness.advance(30)
        for _ in range(20):
            assert await cache.get_or_set("a", gate.load, 10, stale_while_revalidate=60) == {"v": 1}
        await gate.entered.wait()
        assert await cache.get("a") is MISS
        gate.open.set()
        assert await cache.get_or_set("a", gate.load, 10) == {"v": 2}
        assert await cache.get_or_set("a", gate.load, 10, stale_while_revalidate=60) == {"v": 2}
        stats = cache.stats()
        assert (gate.loads, stats.refreshes, stats.stale, stats.loads) == (1, 1, 20, 2)

    async def test_only_who_asks_for_stale_values_gets_one(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-5: for every other operation, and for who sets no bound or another one, the value is gone."""
        await cache.get_or_set("a", one, 10, stale_while_revalidate=60, stale_if_error=60)
        await cache.set("plain", "old", 10)
        await harness.advance(30)
        assert await cache.get("a") is MISS
        assert await cache.get_many("a") == {}
        assert await cache.ttl("a") is None
        assert not await cache.exists("a")
        assert not await cache.touch("a")
        new = Gate("new", opened=True)
        assert await cache.get_or_set("a", new.load, 10, stale_while_revalidate=19) == "new"
        assert await cache.get_or_set("plain", new.load, 10, stale_while_revalidate=60) == "new"

    async def test_staleness_is_bounded(self, cache: CacheService, harness: CacheHarness) -> None:
        """CACHE-5: past its bound a value is gone, whatever fails, and takes no room once it is purged."""
        down = Gate(error=ConnectionError("down"), opened=True)
        await cache.get_or_set("a", one, 10, stale_if_error=60)
        await harness.advance(69)
        assert await cache.get_or_set("a", down.load, 10, stale_if_error=60) == 1
        assert await cache.purge() == 0
        await harness.advance(2)
        with pytest.raises(ConnectionError):
            await cache.get_or_set("a", down.load, 10, stale_if_error=60)
        await cache.purge()
        assert cache.stats().entries == 0

    async def test_a_stale_value_is_answered_when_the_load_fails(
        self, patient: CacheService, harness: CacheHarness
    ) -> None:
        """CACHE-5: serve-stale-on-error, for all who wait; once the source is back, its value."""
        down, up = Gate(error=ConnectionError("down"), opened=True), Gate("new", opened=True)
        await patient.get_or_set("a", one, 10, stale_if_error=60)
        await harness.advance(30)
        calls = (patient.get_or_set("a", down.load, 10, stale_if_error=60) for _ in range(10))
        assert await asyncio.gather(*calls) == [1] * 10
        assert await patient.get_or_set("a", up.load, 10, stale_if_error=60) == "new"
        assert await patient.get("a") == "new"
        stats = patient.stats()
        assert (stats.stale, stats.failed_loads) == (10, down.loads)

    async def test_a_source_that_is_down_is_not_asked_again_at_once(self, harness: CacheHarness) -> None:
        """CACHE-5: for a moment after a failure, the stale value is answered without another load."""
        cache = await harness.cache(ttl_jitter=0, retry_interval=3_600)
        down = Gate(error=ConnectionError("down"), opened=True)
        for options in ({"stale_if_error": 60.0}, {"stale_while_revalidate": 60.0}):
            key = next(iter(options))
            await cache.get_or_set(key, one, 10, **options)  # type: ignore[arg-type]  # either of two options
            await harness.advance(30)
            before = down.loads
            for _ in range(20):
                assert await cache.get_or_set(key, down.load, 10, **options) == 1  # type: ignore[arg-type]
                await until(lambda loads=before: down.loads > loads)  # type: ignore[misc]
            await until(lambda: down.cleaned == down.loads)
            assert down.loads == before + 1

    async def test_a_failed_refresh_is_seen_by_nobody(self, patient: CacheService, harness: CacheHarness) -> None:
        """CACHE-5: who got the stale value is not told, and the next caller tries again."""
        down = Gate(error=ConnectionError("down"), opened=True)
        await patient.get_or_set("a", one, 10, stale_while_revalidate=60)
        await harness.advance(30)
        async with asyncio.timeout(30):
            while patient.stats().failed_loads < 3:
                assert await patient.get_or_set("a", down.load, 10, stale_while_revalidate=60) == 1
                await asyncio.sleep(0)
        assert patient.stats().refreshes >= 3

    async def test_what_the_program_does_wrong_is_not_hidden(
        self, patient: CacheService, harness: CacheHarness
    ) -> None:
        """CACHE-5: a value that cannot be cached is refused, stale one or not."""
        await patient.get_or_set("a", one, 10, stale_if_error=60)
        await harness.advance(30)

        async def load() -> object:
            return object()

        with pytest.raises(UncacheableError):
            await patient.get_or_set("a", load, 10, stale_if_error=60)

    async def test_a_slow_load_is_not_waited_for(self, patient: CacheService, harness: CacheHarness) -> None:
        """CACHE-5: the soft timeout: the stale value is given, the load goes on, and its value is kept."""
        gate = Gate("new")
        await patient.get_or_set("a", one, 10, stale_if_error=60)
        await harness.advance(30)
        calls = [
            patient.get_or_set("a", gate.load, 10, stale_if_error=60, soft_timeout=_SOON * number)
            for number in range(1, 4)
        ]
        assert await asyncio.gather(*calls) == [1, 1, 1]
        await gate.entered.wait()
        assert (gate.loads, gate.cleaned) == (1, 0)
        waiting = asyncio.create_task(patient.get_or_set("a", gate.load, 10))
        await asyncio.sleep(0)
        gate.open.set()
        assert await waiting == "new"
        assert await patient.get("a") == "new"
        assert gate.loads == 1

    async def test_without_a_stale_value_the_soft_timeout_is_none(self, cache: CacheService) -> None:
        """CACHE-5: there is nothing else to give."""
        gate = Gate("new")
        waiting = asyncio.create_task(cache.get_or_set("a", gate.load, stale_if_error=60, soft_timeout=0.001))
        await gate.entered.wait()
        await asyncio.sleep(0.02)
        gate.open.set()
        assert await waiting == "new"

    async def test_a_load_that_takes_too_long_is_ended(self, cache: CacheService) -> None:
        """CACHE-5: the hard timeout: a typed error, the loader is cancelled, and the key is free."""
        gate = Gate()
        with pytest.raises(LoadTimeoutError, match=r"'a'.* 0\.01 seconds"):
            await cache.get_or_set("a", gate.load, hard_timeout=_SOON)
        await until(lambda: gate.cleaned == gate.loads)
        assert await cache.get_or_set("a", one) == 1
        assert cache.stats().timeouts == 1

    async def test_a_stale_value_is_better_than_a_timeout(self, patient: CacheService, harness: CacheHarness) -> None:
        """CACHE-5: within its bound."""
        gate = Gate()
        await patient.get_or_set("a", one, 10, stale_if_error=60)
        await harness.advance(30)
        assert await patient.get_or_set("a", gate.load, 10, stale_if_error=60, hard_timeout=_SOON) == 1
        await until(lambda: gate.cleaned == gate.loads)

    async def test_a_short_timeout_harms_no_patient_caller(self, cache: CacheService) -> None:
        """CACHE-5: one who waits for longer gets the value of the load that another gave up, or of their own."""
        theirs, mine = Gate("theirs"), Gate("mine", opened=True)
        long = asyncio.create_task(cache.get_or_set("a", theirs.load))
        await theirs.entered.wait()
        with pytest.raises(LoadTimeoutError):
            await cache.get_or_set("a", mine.load, hard_timeout=_SOON)
        theirs.open.set()
        assert await long == "theirs"
        hung = Gate()
        hasty = asyncio.create_task(cache.get_or_set("b", hung.load, hard_timeout=0.2))
        await hung.entered.wait()
        assert await cache.get_or_set("b", mine.load) == "mine"
        with pytest.raises(LoadTimeoutError):
            await hasty

    async def test_a_loader_that_hangs_harms_nobody(self, cache: CacheService) -> None:
        """CACHE-5: one that heeds no cancellation is given up; it holds no caller and no key, and is not kept."""
        stubborn = Stubborn()
        while not stubborn.entered:  # on a slow machine the time may be over before the loader begins
            with pytest.raises(LoadTimeoutError):
                await cache.get_or_set("a", stubborn.load, hard_timeout=_SOON)
        assert await cache.get_or_set("a", one) == 1
        cancelled = asyncio.create_task(cache.get_or_set("b", stubborn.load, hard_timeout=_SOON))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert await cache.get_or_set("b", one) == 1
        stubborn.open.set()
        await until(lambda: stubborn.ended)
        assert await cache.get_many("ab") == {"a": 1, "b": 1}

    async def test_loads_in_the_background_end_with_the_cache(self, cache: CacheService, harness: CacheHarness) -> None:
        """ALL-1: a refresh, and a load that was not waited for, are cancelled and have cleaned up when stop returns."""
        before = len(asyncio.all_tasks())
        gate = Gate(loads=2)
        await cache.get_or_set("a", one, 10, stale_while_revalidate=60)
        await cache.get_or_set("b", one, 10, stale_if_error=60)
        await harness.advance(30)
        await cache.get_or_set("a", gate.load, 10, stale_while_revalidate=60)
        await cache.get_or_set("b", gate.load, 10, stale_if_error=60, soft_timeout=0.001)
        await gate.entered.wait()
        await cache.stop()
        assert gate.cleaned == 2
        assert len(asyncio.all_tasks()) <= before

    @pytest.mark.parametrize("how", ["set", "delete", "clear", "invalidate"])
    async def test_a_refresh_does_not_undo_a_write(self, cache: CacheService, harness: CacheHarness, how: str) -> None:
        """CACHE-5: a key that is written, deleted or invalidated while it is refreshed stays so."""
        gate = Gate("refreshed")
        await cache.get_or_set("a", one, 10, tags=["t"], stale_while_revalidate=60)
        await harness.advance(30)
        assert await cache.get_or_set("a", gate.load, 10, tags=["t"], stale_while_revalidate=60) == 1
        await gate.entered.wait()
        match how:
            case "set":
                await cache.set("a", "written")
            case "delete":
                assert not await cache.delete("a")
            case "clear":
                assert await cache.clear() == 0
            case _:
                await cache.invalidate("t")
        gate.open.set()
        await until(lambda: gate.cleaned)
        fresh = Gate("fresh", opened=True)
        expected = "written" if how == "set" else "fresh"
        assert await cache.get_or_set("a", fresh.load, 10, stale_while_revalidate=60) == expected

    async def test_settings_are_the_default(self, harness: CacheHarness) -> None:
        """CACHE-5: what a call leaves out is as the settings say; what it gives counts, also 0."""
        cache = await harness.cache(ttl_jitter=0, stale_while_revalidate=60)
        await cache.get_or_set("a", one, 10)
        await harness.advance(30)
        new = Gate("new", opened=True)
        assert await cache.get_or_set("a", new.load, 10, stale_while_revalidate=0) == "new"
        await harness.advance(30)
        assert await cache.get_or_set("a", new.load, timedelta(seconds=10)) == "new"
        with pytest.raises(LoadTimeoutError):
            await (await harness.cache(hard_timeout=_SOON)).get_or_set("b", Gate().load)

    async def test_impossible_options_are_refused(self, harness: CacheHarness) -> None:
        """CACHE-5: by an error that names the option; also a staleness beyond the bound of the settings."""
        cache = await harness.cache(max_stale=100)
        options: tuple[dict[str, object], ...] = (
            {"stale_while_revalidate": -1},
            {"stale_if_error": float("inf")},
            {"stale_if_error": 101},
            {"soft_timeout": "1"},
            {"hard_timeout": float("nan")},
        )
        for wrong in options:
            with pytest.raises(CacheKeyError, match=next(iter(wrong))):
                await cache.get_or_set("a", one, **wrong)  # type: ignore[arg-type]  # what is wrong is the point

    async def test_a_value_within_its_grace_survives_a_restart(self, harness: CacheHarness) -> None:
        """CACHE-5: where values survive it at all."""
        self.require("survives_restart")
        first = await harness.cache(ttl_jitter=0)
        await first.get_or_set("a", one, 10, stale_if_error=60)
        await first.stop()
        await harness.advance(30)
        second = await harness.cache(ttl_jitter=0)
        down = Gate(error=ConnectionError("down"), opened=True)
        assert await second.get_or_set("a", down.load, 10, stale_if_error=60) == 1
