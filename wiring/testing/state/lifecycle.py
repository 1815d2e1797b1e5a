"""Start, stop, restart and cancellation (ALL-1)."""

import asyncio

import pytest

from bedplate.services.errors import UnavailableError
from bedplate.services.state import Scope, StateService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.state.harness import Capabilities, StateHarness

__all__ = ["Lifecycle"]


class Lifecycle(Capabilities):
    """ALL-1."""

    async def test_start_and_stop(self, state: StateService, run: Scope) -> None:
        """ALL-1: stopped, it says so, and subscriptions end; started again, it works; health follows."""
        assert (await state.health()).status == "up"
        changes = await state.subscribe(run, "key")
        await asyncio.gather(state.stop(), state.stop())
        assert [change async for change in changes] == []
        await changes.aclose()
        assert (await state.health()).status == "down"
        for call in (
            state.get(run, "key"),
            state.set(run, "key", 1),
            state.append(run, "key", 1),
            state.delete(run, "key"),
            state.close(run),
            state.subscribe(run, "key"),
            state.purge(),
        ):
            with pytest.raises(UnavailableError, match="not started"):
                await call
        await asyncio.gather(state.start(), state.start())
        await state.set(run, "key", 1)
        assert await state.get(run, "key") == 1

    async def test_almost_full_is_degraded(self, harness: StateHarness, run: Scope) -> None:
        """ALL-1: with the setting that says so."""
        state = await harness.state(max_bytes=2000, max_user_bytes=2000)
        await state.set(run, "key", "x" * 1450)
        health = await state.health()
        assert health.status == "degraded"
        assert "MAX_BYTES" in (health.reason or "")

    async def test_cancelled_anywhere(self, state: StateService, run: Scope) -> None:
        """ALL-1: a change happens wholly or not at all, and a subscription that was not given leaves nothing."""

        async def work() -> None:
            await state.set(run, "key", [1])
            await state.append(run, "key", 2)
            async with await state.subscribe(run, "key", current=True) as changes:
                await anext(changes)
            await state.delete(run, "key")

        async def check(_cancelled: bool) -> None:
            assert await state.get(run, "key") in (None, [1], [1, 2])
            assert state.usage().subscriptions == 0

        await cancel_at_every_await(work, check)

    async def test_stop_and_start_cancelled_anywhere(self, state: StateService, run: Scope) -> None:
        """ALL-1: a cancelled start or stop leaves nothing that another one does not put right."""

        async def restart() -> None:
            await state.stop()
            await state.start()

        async def check(_cancelled: bool) -> None:
            await state.start()
            await state.set(run, "key", 1)
            assert await state.get(run, "key") == 1

        await cancel_at_every_await(restart, check)

    async def test_values_survive_a_restart(self, harness: StateHarness, run: Scope) -> None:
        """STATE-1: with their versions."""
        self.require("survives_restart")
        first = await harness.state()
        version = await first.set(run, "key", [1])
        await first.stop()
        second = await harness.state()
        entry = await second.entry(run, "key")
        assert entry is not None
        assert (entry.value, entry.version) == ([1], version)
