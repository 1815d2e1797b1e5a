"""ALL-6 and STATE-1: every limit, and that nothing is left behind."""

import uuid
from typing import Any

import pytest

from bedplate.services.state import Scope, StateFullError, StateService, StateValueTooLargeError, Subscription
from bedplate.wiring.testing.state.harness import Capabilities, StateHarness

__all__ = ["Bounds"]


class Bounds(Capabilities):
    """ALL-6."""

    async def test_too_many_values(self, harness: StateHarness, run: Scope) -> None:
        """ALL-6: a new one is refused, those that are there can be changed and deleted."""
        state = await harness.state(max_entries=2)
        await state.set(run, "a", 1)
        await state.set(run, "b", 1, ttl=5)
        for call in (state.set, state.append):
            with pytest.raises(StateFullError, match=r"no more than 2 values in one run.*MAX_ENTRIES"):
                await call(run, "c", 1)
        await state.set(run, "a", 2)
        await state.append(run, "a", 3)
        await harness.advance(6)
        await state.set(run, "c", 1)
        await state.delete(run, "a")
        await state.set(run, "d", 1)
        assert set(await state.items(run)) == {"c", "d"}

    async def test_too_large_a_value(self, harness: StateHarness, run: Scope) -> None:
        """ALL-6: at once or bit by bit; what is there stays as it is."""
        state = await harness.state(max_value_bytes=1000)
        await state.set(run, "key", b"x" * 1000)
        with pytest.raises(StateValueTooLargeError, match="1001 bytes"):
            await state.set(run, "key", b"x" * 1001)
        await state.set(run, "list", ["x" * 400])
        await state.append(run, "list", "x" * 400)
        entry = await state.entry(run, "list")
        with pytest.raises(StateValueTooLargeError):
            await state.append(run, "list", "x" * 400)
        assert await state.entry(run, "list") == entry

    async def test_one_user_cannot_take_all(self, harness: StateHarness, user_id: uuid.UUID) -> None:
        """ALL-6: bytes of one user over all scopes, and bytes of all users."""
        state = await harness.state(max_user_bytes=10_000, max_bytes=25_000)
        users = [user_id, uuid.uuid4(), uuid.uuid4()]
        for user in users[:2]:
            filled = await _fill(state, user)
            assert 10 <= filled < 20
            await state.clear(Scope.run(user, uuid.UUID(int=0)))
            assert await _fill(state, user) == filled
            with pytest.raises(StateFullError, match=r"bytes of one user.*MAX_USER_BYTES"):
                await state.set(Scope.user(user), "key", "x" * 500)
        with pytest.raises(StateFullError, match=r"25000 bytes .*MAX_BYTES"):
            await _fill(state, users[2])
        await state.close(Scope.run(users[0], uuid.UUID(int=0)))
        await state.set(Scope.user(users[2]), "key", "x" * 400)

    async def test_too_many_subscriptions(self, harness: StateHarness, user_id: uuid.UUID) -> None:
        """ALL-6: to one scope, and in all; whoever leaves makes room."""
        state = await harness.state(max_scope_subscriptions=2, max_subscriptions=3)
        runs = [Scope.run(user_id, uuid.uuid4()) for _ in range(3)]
        listening = [await state.subscribe(runs[0], "a"), await state.subscribe(runs[0], "b")]
        with pytest.raises(StateFullError, match="2 subscriptions to one run"):
            await state.subscribe(runs[0], "c")
        listening.append(await state.subscribe(runs[1], "a"))
        with pytest.raises(StateFullError, match="3 subscriptions"):
            await state.subscribe(runs[2], "a")
        await listening.pop(0).aclose()
        listening.append(await state.subscribe(runs[0], "c"))
        await _leave(listening)
        assert state.usage().subscriptions == 0

    async def test_nothing_is_left_behind(self, state: StateService, user_id: uuid.UUID) -> None:
        """STATE-1, defect "states never removed": of a thousand runs that have ended."""
        for _ in range(1000):
            run = Scope.run(user_id, uuid.uuid4())
            await state.set(run, "key", "value", ttl=100)
            await state.append(run, "list", "item")
            await state.subscribe(run, "key")
            assert await state.close(run) == 2
        usage = state.usage()
        assert (usage.scopes, usage.entries, usage.bytes, usage.subscriptions) == (0, 0, 0, 0)

    async def test_looking_leaves_nothing(self, state: StateService, user_id: uuid.UUID) -> None:
        """STATE-1, defect "growth by reading": what is not there does not come to be by a question or a refusal."""
        run = Scope.run(user_id, uuid.uuid4())
        await state.get(run, "key")
        await state.items(run)
        await state.delete(run, "key")
        await state.clear(run)
        await (await state.subscribe(run, "key")).aclose()
        with pytest.raises(StateValueTooLargeError):
            await state.set(run, "key", b"x" * (2 * 1024 * 1024))
        assert state.usage().scopes == 0

    async def test_what_is_replaced_is_not_counted(self, state: StateService, run: Scope) -> None:
        """ALL-6: the bytes are those of what is there."""
        values: list[Any] = ["x", "x" * 1000, [1], None, "x"]
        sizes = []
        for value in values:
            await state.set(run, "key", value, ttl=10)
            sizes.append(state.usage().bytes)
        assert sizes[0] == sizes[-1] < sizes[1] - 900
        await state.delete(run, "key")
        assert state.usage().bytes == 0


async def _fill(state: StateService, user_id: uuid.UUID) -> int:
    """Set values until a limit is met, which has to be the user's own; how many."""
    number = 0
    while True:
        try:
            await state.set(Scope.run(user_id, uuid.UUID(int=number % 2)), f"key-{number}", "x" * 100)
        except StateFullError as error:
            if error.setting != "max_user_bytes":
                raise
            return number
        number += 1


async def _leave(listening: list[Subscription]) -> None:
    for subscription in listening:
        await subscription.aclose()
        await subscription.aclose()
