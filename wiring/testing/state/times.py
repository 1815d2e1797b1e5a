"""STATE-1: values and scopes whose time is over."""

import uuid
from datetime import timedelta
from math import inf

from bedplate.services.state import ChangeKind, Scope, StateService
from bedplate.wiring.testing.state.harness import Capabilities, StateHarness, next_of

__all__ = ["Times"]


class Times(Capabilities):
    """STATE-1."""

    async def test_what_has_expired_is_in_no_answer(
        self, state: StateService, harness: StateHarness, run: Scope
    ) -> None:
        """STATE-1: whoever asks, and however."""
        await state.set(run, "short", 1, ttl=10)
        await state.set(run, "long", 2, ttl=timedelta(seconds=20))
        await state.set(run, "ever", 3)
        await state.append(run, "list", 4, ttl=10)
        for key in ("append", "compare", "delete", "current"):
            await state.set(run, key, 4, ttl=10)
        entry = await state.entry(run, "short")
        assert entry is not None
        assert entry.expires_in is not None
        assert 9 < entry.expires_in <= 10
        await harness.advance(10.5)
        await state.append(run, "append", 5)
        assert await state.set(run, "compare", 5, expected=0)
        assert not await state.delete(run, "delete")
        async with await state.subscribe(run, "current", current=True) as changes:
            await state.set(run, "current", 5)
            assert (await anext(changes)).kind == ChangeKind.SET
        assert await state.items(run) == {"long": 2, "ever": 3, "append": [5], "compare": 5, "current": 5}
        assert await state.get(run, "short") is None
        assert await state.entry(run, "list") is None
        assert not await state.delete(run, "short")
        await state.append(run, "list", 5)
        assert await state.get(run, "list") == [5]
        assert await state.set(run, "short", 6, expected=0)
        await harness.advance(10)
        assert await state.clear(run) == 6

    async def test_each_change_gives_a_new_time(self, state: StateService, harness: StateHarness, run: Scope) -> None:
        """STATE-1: longer, shorter or none at all."""
        await state.set(run, "key", 1, ttl=10)
        await state.set(run, "key", 2, ttl=30)
        await harness.advance(20)
        assert await state.get(run, "key") == 2
        await state.set(run, "key", 3)
        await harness.advance(1000)
        assert await state.get(run, "key") == 3
        await state.set(run, "key", 4, ttl=inf)
        await state.set(run, "key", 5, ttl=1)
        await harness.advance(1.5)
        assert await state.get(run, "key") is None

    async def test_what_has_expired_is_removed(self, state: StateService, harness: StateHarness, run: Scope) -> None:
        """STATE-1: without being asked for, and subscribers are told."""
        async with await state.subscribe(run, "7") as changes:
            for number in range(100):
                await state.set(run, str(number), number, ttl=1 + number)
            await harness.advance(50.5)
            assert await state.purge() == 50
            assert state.usage().entries == 50
            kinds = [change.kind for change in await next_of(changes, 2)]
            assert kinds == [ChangeKind.SET, ChangeKind.EXPIRE]

    async def test_scopes_that_nobody_changes_are_forgotten(self, harness: StateHarness, user_id: uuid.UUID) -> None:
        """STATE-1: each kind after its own time; zero keeps it."""
        state = await harness.state(run_ttl=10, session_ttl=100, user_ttl=0)
        run, flow = Scope.run(user_id, uuid.uuid4()), uuid.uuid4()
        session, user = Scope.session(user_id, flow, "s"), Scope.user(user_id)
        for scope in (run, session, user):
            await state.set(scope, "key", 1)
        await state.set(run, "other", 1)
        await harness.advance(8)
        await state.delete(run, "other")
        await harness.advance(8)
        assert await state.purge() == 0
        await harness.advance(8)
        assert await state.purge() == 1
        await harness.advance(100)
        assert await state.purge() == 1
        assert [await state.get(scope, "key") for scope in (run, session, user)] == [None, None, 1]
