"""CACHE-2: one load for all who ask, and nobody harmed by what happens to another."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import pytest

from bedplate.services.cache import (
    MISS,
    CacheService,
    LoadCancelledError,
    RecursiveLoadError,
    UncacheableError,
)
from bedplate.wiring.testing.cache.harness import Capabilities, one
from bedplate.wiring.testing.cancellation import cancelled_at

__all__ = ["Gate", "Loads"]

_who: ContextVar[str] = ContextVar("who", default="nobody")


class Gate:
    """A loader that waits to be opened, and notes what happens to it."""

    def __init__(
        self, value: object = "loaded", error: BaseException | None = None, loads: int = 1, *, opened: bool = False
    ) -> None:
        self.value = value
        self.error = error
        self.expected = loads
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        if opened:
            self.open.set()
        self.loads = 0
        self.cleaned = 0

    async def load(self) -> object:
        self.loads += 1
        if self.loads == self.expected:
            self.entered.set()
        try:
            await self.open.wait()
            if self.error is not None:
                raise self.error
            return self.value
        finally:
            for _ in range(10):  # longer than any caller takes to leave
                await asyncio.sleep(0)
            self.cleaned += 1


class Loads(Capabilities):
    """CACHE-2."""

    async def test_one_load_for_a_thousand_callers(self, cache: CacheService) -> None:
        """CACHE-2: 1,000 concurrent misses on one key run the loader once."""
        gate = Gate([1])
        callers = [asyncio.create_task(cache.get_or_set("a", gate.load)) for _ in range(1_000)]
        await gate.entered.wait()
        gate.open.set()
        answers = await asyncio.gather(*callers)
        assert all(answer == [1] for answer in answers)
        assert len({id(answer) for answer in answers}) == 1_000
        assert await cache.get_or_set("a", gate.load) == [1]
        assert (gate.loads, cache.stats().loads) == (1, 1)

    async def test_different_keys_load_at_the_same_time(self, cache: CacheService) -> None:
        """CACHE-2: one slow loader holds up no other key, nor the same key elsewhere."""
        gate = Gate("slow")
        waiting = asyncio.create_task(cache.get_or_set("a", gate.load))
        await gate.entered.wait()
        assert await cache.get_or_set("b", one) == 1
        assert await cache.namespace("other").get_or_set("a", one) == 1
        gate.open.set()
        assert await waiting == "slow"

    async def test_a_value_that_is_there_is_not_loaded(self, cache: CacheService) -> None:
        gate = Gate()
        await cache.set("a", None)
        assert await cache.get_or_set("a", gate.load) is None
        assert gate.loads == 0

    async def test_a_failure_is_not_kept(self, cache: CacheService) -> None:
        """CACHE-2: after a failed load the next caller loads anew."""
        gate = Gate(error=ZeroDivisionError())
        gate.open.set()
        with pytest.raises(ZeroDivisionError):
            await cache.get_or_set("a", gate.load)
        assert await cache.get_or_set("a", one) == 1
        assert cache.stats().failed_loads == 1

    async def test_a_failing_loader_harms_nobody_else(self, cache: CacheService) -> None:
        """CACHE-2: its own caller gets the error, the others the value that the next loader returns."""
        bad, good = Gate(error=ValueError("mine alone")), Gate("good")
        good.open.set()
        first = asyncio.create_task(cache.get_or_set("a", bad.load))
        await bad.entered.wait()
        others = [asyncio.create_task(cache.get_or_set("a", good.load)) for _ in range(10)]
        await asyncio.sleep(0)
        bad.open.set()
        with pytest.raises(ValueError, match="mine alone"):
            await first
        assert await asyncio.gather(*others) == ["good"] * 10
        assert (bad.loads, good.loads) == (1, 1)

    async def test_a_source_that_is_down_is_not_asked_by_everybody(self, cache: CacheService) -> None:
        """CACHE-2: when the second loader fails too, all who wait are told at once."""
        gate = Gate(error=ConnectionError("down"))
        callers = [asyncio.create_task(cache.get_or_set("a", gate.load)) for _ in range(100)]
        await gate.entered.wait()
        gate.open.set()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(answer, ConnectionError) for answer in answers)
        assert gate.loads == 2

    async def test_a_cancelled_leader_harms_nobody_else(self, cache: CacheService) -> None:
        """CACHE-2: the load goes on for those who wait."""
        gate = Gate()
        leader = asyncio.create_task(cache.get_or_set("a", gate.load))
        await gate.entered.wait()
        others = [asyncio.create_task(cache.get_or_set("a", gate.load)) for _ in range(10)]
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        gate.open.set()
        assert await asyncio.gather(*others) == ["loaded"] * 10
        assert gate.loads == 1

    async def test_what_the_leader_took_along_is_no_loss(self, cache: CacheService) -> None:
        """CACHE-2: when the load of a cancelled leader fails, the next caller's loader takes over."""
        bad, good = Gate(error=ValueError("its session is closed")), Gate("good")
        good.open.set()
        leader = asyncio.create_task(cache.get_or_set("a", bad.load))
        await bad.entered.wait()
        other = asyncio.create_task(cache.get_or_set("a", good.load))
        await asyncio.sleep(0)
        leader.cancel()
        await asyncio.wait([leader])
        bad.open.set()
        assert await other == "good"

    async def test_a_cancelled_waiter_harms_nobody_else(self, cache: CacheService) -> None:
        """CACHE-2: neither the load nor the others notice."""
        gate = Gate()
        callers = [asyncio.create_task(cache.get_or_set("a", gate.load)) for _ in range(10)]
        await gate.entered.wait()
        for caller in callers[1:9]:
            caller.cancel()
        await asyncio.wait(callers[1:9])
        gate.open.set()
        assert await callers[0] == await callers[9] == "loaded"
        assert gate.loads == 1

    async def test_the_last_to_leave_ends_the_load(self, cache: CacheService) -> None:
        """CACHE-2: a load that nobody waits for is cancelled, and has cleaned up when the last caller is gone."""
        gate = Gate()
        callers = [asyncio.create_task(cache.get_or_set("a", gate.load)) for _ in range(3)]
        await gate.entered.wait()
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        assert all(caller.cancelled() for caller in callers)
        assert gate.cleaned == 1
        assert await cache.get("a") is MISS
        assert await cache.get_or_set("a", one) == 1

    async def test_a_caller_with_a_deadline_of_its_own(self, cache: CacheService) -> None:
        """CACHE-2: one who gives up in time leaves the load to those who have more."""
        gate = Gate()
        patient = asyncio.create_task(cache.get_or_set("a", gate.load))
        await gate.entered.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await cache.get_or_set("a", gate.load)
        gate.open.set()
        assert await patient == "loaded"

    async def test_a_loader_that_is_cancelled_from_within(self, cache: CacheService) -> None:
        """CACHE-2: its caller, who was not cancelled, gets a typed error; the others get the next loader's value."""
        bad, good = Gate(error=asyncio.CancelledError()), Gate("good")
        good.open.set()
        first = asyncio.create_task(cache.get_or_set("a", bad.load))
        await bad.entered.wait()
        other = asyncio.create_task(cache.get_or_set("a", good.load))
        await asyncio.sleep(0)
        bad.open.set()
        with pytest.raises(LoadCancelledError, match="'a'"):
            await first
        assert await other == "good"

    async def test_cancelled_at_every_await_beside_another_caller(self, cache: CacheService) -> None:
        """CACHE-2: wherever one caller is cancelled, the other gets the value, of one load."""
        step = 0
        while True:
            step += 1
            gate = Gate(step)
            key = f"k{step}"
            unlucky = asyncio.create_task(cancelled_at({step}, cache.get_or_set(key, gate.load)))
            lucky = asyncio.create_task(cache.get_or_set(key, gate.load))
            gate.open.set()
            assert await lucky == step
            await asyncio.wait([unlucky])
            assert await cache.get(key) == step
            if not unlucky.cancelled():
                break
        assert step > 1

    async def test_a_loader_that_waits_for_itself(self, cache: CacheService) -> None:
        """CACHE-2: is told so instead of waiting for ever; asking for another key is fine."""

        async def fine() -> int:
            return await cache.get_or_set("b", one)

        async def endless() -> int:
            return await cache.get_or_set("a", fine) + await cache.get_or_set("c", endless)

        with pytest.raises(RecursiveLoadError, match="'c'"):
            await cache.get_or_set("c", endless)
        assert await cache.get_many("abc") == {"a": 1, "b": 1}

    @pytest.mark.parametrize("how", ["set", "delete", "upsert", "increment", "clear", "set_many"])
    async def test_a_key_written_while_it_is_loaded_keeps_what_was_written(self, cache: CacheService, how: str) -> None:
        """CACHE-2: those who wait get the loaded value, but it is out of date and is not kept."""
        gate = Gate("old")
        waiting = asyncio.create_task(cache.get_or_set("a", gate.load))
        await gate.entered.wait()
        match how:
            case "set" | "upsert":
                await getattr(cache, how)("a", 7)
            case "set_many":
                await cache.set_many({"a": 7})
            case "increment":
                await cache.increment("a", 7)
            case "clear":
                await cache.clear()
            case _:
                await cache.delete("a")
        gate.open.set()
        assert await waiting == "old"
        assert await cache.get("a") == (MISS if how in ("delete", "clear") else 7)

    async def test_who_asks_after_a_delete_gets_a_new_load(self, cache: CacheService) -> None:
        """CACHE-2: a caller who knows of the change does not get a value from before it."""
        old, new = Gate("old"), Gate("new")
        new.open.set()
        before = asyncio.create_task(cache.get_or_set("a", old.load))
        await old.entered.wait()
        await cache.delete("a")
        assert await cache.get_or_set("a", new.load) == "new"
        old.open.set()
        assert await before == "old"
        assert await cache.get("a") == "new"

    async def test_a_loaded_value_that_cannot_be_cached(self, cache: CacheService) -> None:
        """CACHE-4: is refused as it is by set, rather than shared alive."""

        async def load() -> object:
            return [object()]

        with pytest.raises(UncacheableError, match=r"builtins.object .*value\[0\]"):
            await cache.get_or_set("a", load)

    async def test_a_loader_runs_in_its_callers_context(self, cache: CacheService) -> None:
        """CACHE-2: so that its log and spans belong to the run that asked."""

        async def load() -> str:
            return _who.get()

        async def ask(who: str, loader: Callable[[], Awaitable[object]]) -> object:
            _who.set(who)
            return await cache.get_or_set("a", loader)

        bad = Gate(error=ValueError("no"))
        first = asyncio.create_task(ask("first", bad.load))
        await bad.entered.wait()
        second = asyncio.create_task(ask("second", load))
        await asyncio.sleep(0)
        bad.open.set()
        await asyncio.wait([first])
        assert await second == "second"
        assert isinstance(first.exception(), ValueError)

    async def test_stop_ends_every_load(self, cache: CacheService) -> None:
        """ALL-1: those who wait get a typed error, and the loaders have cleaned up when stop returns."""
        gate = Gate(loads=3)
        callers = [asyncio.create_task(cache.get_or_set(key, gate.load)) for key in "aab"]
        callers.append(asyncio.create_task(cache.namespace("other").get_or_set("a", gate.load)))
        await gate.entered.wait()
        await cache.stop()
        assert gate.cleaned == 3
        answers = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(answer, LoadCancelledError) for answer in answers)
        await cache.start()
        assert await cache.get_or_set("a", one) == 1
