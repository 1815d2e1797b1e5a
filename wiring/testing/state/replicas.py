"""STATE-3: several services that run at once over one store."""

import asyncio
import uuid

import pytest

from bedplate.services.state import (
    ChangeKind,
    Scope,
    StateChange,
    StateConflictError,
    StateFullError,
    StateService,
    Subscription,
)
from bedplate.wiring.testing.state.harness import Capabilities, StateHarness, next_of

__all__ = ["Replicas"]

SET, APPEND, DELETE, EXPIRE, CURRENT = ChangeKind


class Replicas(Capabilities):
    """STATE-3."""

    @pytest.fixture
    async def replicas(self, harness: StateHarness) -> list[StateService]:
        """Three of them."""
        self.require("reaches_replicas")
        return [await harness.state() for _ in range(3)]

    async def test_what_one_writes_another_reads(self, replicas: list[StateService], run: Scope) -> None:
        """STATE-3: values, versions, lists, what is deleted; at once."""
        one, other, _ = replicas
        version = await one.set(run, "key", {"a": [1]})
        entry = await other.entry(run, "key")
        assert entry is not None
        assert (entry.value, entry.version) == ({"a": [1]}, version)
        await other.append(run, "list", b"1")
        await one.append(run, "list", 2)
        assert await other.get(run, "list") == [b"1", 2]
        with pytest.raises(StateConflictError):
            await other.set(run, "key", 1, expected=0)
        await other.set(run, "key", 1, expected=version)
        assert await one.delete(run, "key")
        assert await other.items(run) == {"list": [b"1", 2]}

    async def test_changes_of_all_reach_all_in_one_order(self, replicas: list[StateService], run: Scope) -> None:
        """STATE-3: every subscriber gets each once, and the versions say that it is the order in which they came."""
        listening = [await state.subscribe(run, "key") for state in replicas]

        async def write(state: StateService, number: int) -> None:
            for step in range(20):
                await state.append(run, "key", [number, step])

        await asyncio.gather(*(write(state, number) for number, state in enumerate(replicas)))
        heard = await asyncio.gather(*(_within(changes, 60) for changes in listening))
        assert heard[0] == heard[1] == heard[2]
        versions = [change.version for change in heard[0]]
        assert versions == sorted(set(versions))
        assert [change.value for change in heard[0]] == await replicas[0].get(run, "key")
        assert {change.missed for change in heard[0]} == {0}

    async def test_no_update_is_lost(self, replicas: list[StateService], run: Scope) -> None:
        """STATE-3: of many tasks of all replicas at once."""

        async def work(number: int) -> None:
            await replicas[number % 3].update(run, "sum", lambda value: value + number, default=0)

        await asyncio.gather(*(work(number) for number in range(60)))
        assert await replicas[0].get(run, "sum") == sum(range(60))

    async def test_a_run_that_is_closed_ends_subscriptions_everywhere(
        self, replicas: list[StateService], run: Scope
    ) -> None:
        """STATE-3: after the deletion, and whoever subscribes after that hears of what comes then."""
        one, other, third = replicas
        await one.set(run, "key", 1)
        changes = await other.subscribe(run, "key", current=True)
        await third.close(run)
        async with asyncio.timeout(60):
            assert [change.kind async for change in changes] == [CURRENT, DELETE]
        assert other.usage().subscriptions == 0
        async with await other.subscribe(run, "key") as again:
            await one.set(run, "key", 2)
            assert (await _within(again, 1))[0].value == 2

    async def test_the_current_value_and_what_comes_after_it(self, replicas: list[StateService], run: Scope) -> None:
        """STATE-3: whoever comes while others write gets each value from the first one on."""
        writer, reader, _ = replicas

        async def write() -> None:
            for number in range(1, 100):
                await writer.set(run, "key", number)

        await writer.set(run, "key", 0)
        writing = asyncio.ensure_future(write())
        for _ in range(5):
            async with await reader.subscribe(run, "key", current=True) as changes:
                first, *rest = await _within(changes, 5)
                assert first.kind == CURRENT
                assert [change.value for change in rest] == list(range(first.value + 1, first.value + 5))
        await writing

    async def test_what_expires_is_told_everywhere(
        self, replicas: list[StateService], harness: StateHarness, run: Scope
    ) -> None:
        """STATE-3: once, whoever removes it."""
        one, other, third = replicas
        await one.set(run, "key", 1, ttl=10)
        async with await other.subscribe(run, "key") as changes:
            await harness.advance(11)
            removed = await asyncio.gather(one.purge(), third.purge())
            assert sum(removed) == 1
            await one.set(run, "key", 2)
            assert [change.kind for change in await _within(changes, 2)] == [EXPIRE, SET]

    async def test_limits_are_those_of_all(self, harness: StateHarness, user_id: uuid.UUID) -> None:
        """STATE-3, ALL-6: what one has taken another cannot."""
        self.require("reaches_replicas")
        one, other = [await harness.state(max_user_bytes=10_000, max_entries=3) for _ in range(2)]
        await one.set(Scope.user(user_id), "key", "x" * 9_000)
        with pytest.raises(StateFullError, match="MAX_USER_BYTES"):
            await other.set(Scope.run(user_id, uuid.uuid4()), "key", "x" * 1_000)
        app = Scope.run(uuid.uuid4(), uuid.uuid4())
        for number, state in enumerate((one, other, one)):
            await state.set(app, str(number), number)
        with pytest.raises(StateFullError, match="MAX_ENTRIES"):
            await other.set(app, "more", 1)


async def _within(changes: Subscription, count: int) -> list[StateChange]:
    async with asyncio.timeout(60):
        return await next_of(changes, count)
