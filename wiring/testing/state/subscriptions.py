"""STATE-2: changes of a key, in order, for any number of subscribers, none of whom can harm another."""

import asyncio
import uuid
from contextlib import aclosing

import pytest

from bedplate.services.state import ChangeKind, Scope, StateChange, StateService, Subscription
from bedplate.wiring.testing.state.harness import Capabilities, StateHarness, next_of

__all__ = ["Subscriptions"]

SET, APPEND, DELETE, EXPIRE, CURRENT = ChangeKind


class Subscriptions(Capabilities):
    """STATE-2."""

    async def test_changes_come_in_order(self, state: StateService, run: Scope) -> None:
        """STATE-2: every one, to every subscriber, with its kind, value and version."""
        async with await state.subscribe(run, "key") as one, await state.subscribe(run, "key") as other:
            versions = [await state.set(run, "key", 0)]
            versions += [await state.append(run, "key", number) for number in range(1, 50)]
            await state.delete(run, "key")
            await state.clear(run)
            versions.append(await state.set(run, "key", "again"))
            changes = await next_of(one, 52)
            assert changes == await next_of(other, 52)
        assert [change.kind for change in changes] == [SET, *[APPEND] * 49, DELETE, SET]
        assert [change.value for change in changes] == [*range(50), None, "again"]
        assert [change.version for change in changes if change.kind != DELETE] == versions
        assert [change.version for change in changes] == sorted({change.version for change in changes})
        assert not any(change.missed for change in changes)

    async def test_a_subscriber_waits_for_what_comes(self, state: StateService, run: Scope) -> None:
        """STATE-2: and is woken by it; a wait that is cancelled loses nothing."""
        async with await state.subscribe(run, "key") as changes:
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            waiting = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            await state.set(run, "key", 1)
            assert (await waiting).value == 1

    async def test_only_changes_of_that_run_and_key(self, state: StateService, user_id: uuid.UUID) -> None:
        """STATE-2, ALL-4, defect "observers by key only": not those of other keys, runs, scopes and tenants."""
        run = Scope.run(user_id, uuid.uuid4())
        others = [
            Scope.run(user_id, uuid.uuid4()),
            Scope.run(uuid.uuid4(), uuid.UUID(run.name.rpartition("/")[2])),
            Scope.session(user_id, uuid.uuid4(), "s"),
            Scope.user(user_id),
        ]
        async with await state.subscribe(run, "key") as changes:
            for other in others:
                await state.set(other, "key", "not ours")
                await state.close(other)
            await state.set(run, "other", "not ours")
            await state.set(run, "key", "ours")
            assert (await anext(changes)).value == "ours"

    async def test_the_current_value_first(self, state: StateService, run: Scope) -> None:
        """STATE-2: where it is asked for and there is one; nothing is lost or repeated after it."""
        version = await state.set(run, "key", 1)
        async with await state.subscribe(run, "key", current=True) as changes:
            await state.set(run, "key", 2)
            first, second = await next_of(changes, 2)
            assert first == StateChange(key="key", kind=CURRENT, value=1, version=version)
            assert (second.kind, second.value) == (SET, 2)
        async with await state.subscribe(run, "missing", current=True) as changes:
            await state.set(run, "missing", 3)
            assert (await anext(changes)).kind == SET

    async def test_each_subscriber_has_its_own_copy(self, state: StateService, run: Scope) -> None:
        """STATE-2: of each value."""
        async with await state.subscribe(run, "key") as one, await state.subscribe(run, "key") as other:
            await state.set(run, "key", [1])
            (await anext(one)).value.append(2)
            assert (await anext(other)).value == [1]
            assert await state.get(run, "key") == [1]

    async def test_a_subscriber_may_use_the_state(self, state: StateService, run: Scope) -> None:
        """STATE-2, defect "deadlock on re-entrancy": the same key, and everything else, while it handles a change."""
        async with await state.subscribe(run, "key") as changes:
            await state.set(run, "key", 0)
            async for change in changes:
                assert await state.get(run, "key") == change.value
                if change.value == 3:
                    break
                async with await state.subscribe(run, "key", current=True) as inner:
                    assert (await anext(inner)).value == change.value
                await state.update(run, "key", lambda value: value + 1)
            await state.close(run)

    async def test_who_lags_gets_the_current_value_and_the_number_missed(
        self, harness: StateHarness, run: Scope
    ) -> None:
        """STATE-2: nobody waits for it, and from there it goes on without a gap; ALL-6: memory is bounded."""
        state = await harness.state(buffer_events=4)
        async with await state.subscribe(run, "key") as slow, await state.subscribe(run, "key") as quick:
            await state.set(run, "key", 0)
            assert (await anext(slow)).value == (await anext(quick)).value == 0
            for number in range(1, 11):
                await state.append(run, "key", number)
                assert (await anext(quick)).value == number
            gap = await anext(slow)
            assert (gap.kind, gap.value, gap.missed) == (CURRENT, list(range(11)), 10)
            await state.append(run, "key", 11)
            after = await anext(slow)
            assert (after.kind, after.value, after.missed) == (APPEND, 11, 0)
            for _ in range(5):
                await state.append(run, "key", 12)
            await state.delete(run, "key")
            gone = await anext(slow)
            assert (gone.kind, gone.value, gone.missed) == (DELETE, None, 6)
            await state.set(run, "key", 13)
            assert (await anext(slow)).value == 13

    async def test_who_lags_by_bytes(self, harness: StateHarness, run: Scope) -> None:
        """ALL-6: few large values are as much as many small ones."""
        state = await harness.state(buffer_bytes=10_000)
        async with await state.subscribe(run, "key") as changes:
            for number in range(5):
                await state.set(run, "key", [number, "x" * 4000])
            gap = await anext(changes)
            assert (gap.missed, gap.value[0]) == (3, 2) or (gap.missed, gap.value[0]) == (5, 4)
            while gap.value[0] != 4:
                gap = await anext(changes)

    async def test_one_that_fails_harms_nobody(self, state: StateService, run: Scope) -> None:
        """STATE-2, defect "errors of observers": neither the writer nor other subscribers, at set and append alike."""

        async def failing() -> None:
            async with await state.subscribe(run, "key") as changes:
                listening.set()
                async for change in changes:
                    raise ValueError(change.value)

        for write in (state.set, state.append):
            listening = asyncio.Event()
            failed = asyncio.ensure_future(failing())
            await listening.wait()
            async with await state.subscribe(run, "key") as changes:
                await write(run, "key", 1)
                assert (await anext(changes)).value == 1
                with pytest.raises(ValueError, match="1"):
                    await failed
                await write(run, "key", 2)
                assert (await anext(changes)).value == 2
        assert state.usage().subscriptions == 0

    async def test_closing_a_run_ends_its_subscriptions(self, state: StateService, run: Scope) -> None:
        """STATE-2: when they have read what waited, the deletion at the end included; clearing does not."""
        async with await state.subscribe(run, "key") as changes, await state.subscribe(run, "other") as other:
            waiting = asyncio.ensure_future(_kinds(other))
            await state.set(run, "key", 1)
            await state.clear(run)
            await state.set(run, "key", 2)
            await state.close(run)
            assert await _kinds(changes) == [SET, DELETE, SET, DELETE]
            assert await waiting == []
            assert changes.ended
            with pytest.raises(StopAsyncIteration):
                await anext(changes)
        assert state.usage().subscriptions == 0

    async def test_who_lags_when_a_run_is_closed(self, harness: StateHarness, run: Scope) -> None:
        """STATE-2: learns how much was missed, and comes to the end."""
        state = await harness.state(buffer_events=2)
        async with await state.subscribe(run, "key") as changes:
            for number in range(5):
                await state.set(run, "key", number)
            await state.close(run)
            (last,) = [change async for change in changes]
            assert (last.kind, last.missed) == (DELETE, 6)

    async def test_leaving_ends_it(self, state: StateService, run: Scope) -> None:
        """STATE-2: by the end of the block, by an error, by closing it while another task waits."""
        async with await state.subscribe(run, "key") as changes:
            waiting = asyncio.ensure_future(_kinds(changes))
            await asyncio.sleep(0)
        assert await waiting == []
        async with aclosing(await state.subscribe(run, "key")) as again:
            await state.set(run, "key", 1)
        assert await _kinds(again) == []
        usage = state.usage()
        assert (usage.subscriptions, usage.scopes) == (0, 1)

    async def test_tasks_that_share_a_subscription_share_its_changes(self, state: StateService, run: Scope) -> None:
        """STATE-2: each change goes to one of them."""
        async with await state.subscribe(run, "key") as changes:
            got: list[list[StateChange]] = [[], []]

            async def read(into: list[StateChange]) -> None:
                async for change in changes:
                    into.append(change)
                    await asyncio.sleep(0)

            readers = [asyncio.ensure_future(read(into)) for into in got]
            for number in range(20):
                await state.set(run, "key", number)
                await asyncio.sleep(0)
            await state.close(run)
            await asyncio.gather(*readers)
        values = [change.value for into in got for change in into if change.kind == SET]
        assert sorted(values) == list(range(20))


async def _kinds(changes: Subscription) -> list[ChangeKind]:
    return [change.kind async for change in changes]
