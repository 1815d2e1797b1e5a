"""STATE-1 and STATE-2: any sequence of operations does what the same sequence does to a model."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bedplate.services.state import ChangeKind, Scope, StateConflictError, StateService, Subscription
from bedplate.wiring.testing.state.harness import Capabilities, StateHarness
from bedplate.wiring.testing.state.values import VALUES

__all__ = ["Machine"]

_BUFFER = 4
_SCOPES = st.integers(0, 2)
_KEYS = st.sampled_from(("a", "é"))
_TTL = st.none() | st.sampled_from((5.0, 50.0))


class _Kept(NamedTuple):
    value: Any
    version: int
    due: float


class _Listener:
    """What a subscriber is to get."""

    def __init__(self, subscription: Subscription, key: str) -> None:
        self.subscription = subscription
        self.key = key
        self.waiting: list[tuple[ChangeKind, Any]] = []
        self.missed = 0

    def tell(self, kind: ChangeKind, value: Any) -> None:
        if self.missed or len(self.waiting) == _BUFFER:
            self.missed += len(self.waiting) + 1
            self.waiting.clear()
        else:
            self.waiting.append((kind, value))


class Machine(Capabilities):
    """STATE-1, STATE-2."""

    async def test_any_sequence_of_operations(self, harness: StateHarness) -> None:
        """STATE-1, STATE-2: values, versions, times and subscriptions, against a model."""
        state, loop = await harness.state(buffer_events=_BUFFER), asyncio.get_running_loop()

        def wait(work: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        class Bound(Model):
            services = Services(state, harness, wait)

        # Hypothesis drives its machines without a loop: from a thread, on the loop of the test.
        limits = settings(max_examples=50, stateful_step_count=40, deadline=None)
        await asyncio.to_thread(run_state_machine_as_test, Bound, settings=limits)


class Services(NamedTuple):
    """What a machine works on; ``wait`` runs something on the loop of the service and returns its result."""

    state: StateService
    harness: StateHarness
    wait: Callable[[Coroutine[Any, Any, Any]], Any]


class Model(RuleBasedStateMachine):
    """Runs of its own: two of one user, and one of another with the id of the first."""

    services: ClassVar[Services]

    def __init__(self) -> None:
        super().__init__()
        self.state, self.harness, self.wait = self.services
        user_id, run_id = uuid.uuid4(), uuid.uuid4()
        self.scopes = [
            Scope.run(user_id, run_id),
            Scope.run(user_id, uuid.uuid4()),
            Scope.run(uuid.uuid4(), run_id),
        ]
        self.now = 0.0
        self.last = 0
        self.kept: list[dict[str, _Kept]] = [{} for _ in self.scopes]
        self.listeners: list[list[_Listener]] = [[] for _ in self.scopes]

    def teardown(self) -> None:
        """Leave nothing to the next example."""
        for scope in self.scopes:
            self.wait(self.state.close(scope))

    def tell(self, where: int, key: str, kind: ChangeKind, value: Any = None) -> None:
        """Those who listen are to get this."""
        for listener in self.listeners[where]:
            if listener.key == key:
                listener.tell(kind, value)

    def keep(self, where: int, key: str, value: Any, version: int, ttl: float | None) -> None:
        """This is to be there."""
        assert version > self.last
        self.last = version
        self.kept[where][key] = _Kept(value, version, self.now + (ttl or float("inf")))

    @rule(where=_SCOPES, key=_KEYS, value=VALUES, ttl=_TTL)
    def set(self, where: int, key: str, value: Any, ttl: float | None) -> None:
        """STATE-1."""
        self.keep(where, key, value, self.wait(self.state.set(self.scopes[where], key, value, ttl=ttl)), ttl)
        self.tell(where, key, ChangeKind.SET, value)

    @rule(where=_SCOPES, key=_KEYS, value=VALUES, right=st.booleans())
    def compare_and_set(self, where: int, key: str, value: Any, right: bool) -> None:
        """STATE-1: right or wrong."""
        there = self.kept[where].get(key)
        current = 0 if there is None else there.version
        if right:
            self.keep(
                where, key, value, self.wait(self.state.set(self.scopes[where], key, value, expected=current)), None
            )
            self.tell(where, key, ChangeKind.SET, value)
        else:
            with pytest.raises(StateConflictError, match=f"version {current},"):
                self.wait(self.state.set(self.scopes[where], key, value, expected=current + 1))

    @rule(where=_SCOPES, key=_KEYS, value=VALUES, ttl=_TTL)
    def append(self, where: int, key: str, value: Any, ttl: float | None) -> None:
        """STATE-1."""
        there = self.kept[where].get(key)
        before = [] if there is None else there.value if type(there.value) is list else [there.value]
        self.keep(
            where, key, [*before, value], self.wait(self.state.append(self.scopes[where], key, value, ttl=ttl)), ttl
        )
        self.tell(where, key, ChangeKind.APPEND, value)

    @rule(where=_SCOPES, key=_KEYS)
    def delete(self, where: int, key: str) -> None:
        """STATE-1."""
        there = self.kept[where].pop(key, None)
        assert self.wait(self.state.delete(self.scopes[where], key)) == (there is not None)
        if there is not None:
            self.tell(where, key, ChangeKind.DELETE)

    @rule(where=_SCOPES, close=st.booleans())
    def clear(self, where: int, close: bool) -> None:
        """STATE-1, STATE-2: with or without the end of subscriptions."""
        count = self.wait((self.state.close if close else self.state.clear)(self.scopes[where]))
        assert count == len(self.kept[where])
        for key in list(self.kept[where]):
            del self.kept[where][key]
            self.tell(where, key, ChangeKind.DELETE)
        if close:
            for listener in self.listeners[where]:
                self.read(listener, where)
                self.wait(_comes_to_its_end(listener.subscription))
            self.listeners[where].clear()

    @rule(seconds=st.sampled_from((1.0, 6.0, 60.0)))
    def time_passes(self, seconds: float) -> None:
        """STATE-1."""
        self.wait(self.harness.advance(seconds))
        self.wait(self.state.purge())
        self.now += seconds
        for where, kept in enumerate(self.kept):
            for key in [key for key, there in kept.items() if there.due <= self.now]:
                del kept[key]
                self.tell(where, key, ChangeKind.EXPIRE)

    @rule(where=_SCOPES, key=_KEYS, current=st.booleans())
    def subscribe(self, where: int, key: str, current: bool) -> None:
        """STATE-2."""
        if len(self.listeners[where]) < 3:
            listener = _Listener(self.wait(self.state.subscribe(self.scopes[where], key, current=current)), key)
            if current and key in self.kept[where]:
                listener.tell(ChangeKind.CURRENT, self.kept[where][key].value)
            self.listeners[where].append(listener)

    @rule(where=_SCOPES, count=st.integers(1, 3))
    def read_changes(self, where: int, count: int) -> None:
        """STATE-2: some of what waits."""
        for listener in self.listeners[where]:
            self.read(listener, where, count)

    @rule(where=_SCOPES)
    def unsubscribe(self, where: int) -> None:
        """STATE-2."""
        if self.listeners[where]:
            self.wait(self.listeners[where].pop().subscription.aclose())

    def read(self, listener: _Listener, where: int, count: int = 100) -> None:
        """Read as many changes as are given, and compare."""
        if listener.missed:
            change = self.wait(_next(listener.subscription))
            there = self.kept[where].get(listener.key)
            assert change.missed == listener.missed
            assert change.kind == (ChangeKind.DELETE if there is None else ChangeKind.CURRENT)
            assert change.value == (None if there is None else there.value)
            listener.missed = 0
        while listener.waiting and count:
            count -= 1
            change = self.wait(_next(listener.subscription))
            assert (change.kind, change.value, change.missed) == (*listener.waiting.pop(0), 0)

    @invariant()
    def values_are_the_same(self) -> None:
        """STATE-1: after every step."""
        for scope, kept in zip(self.scopes, self.kept, strict=True):
            assert self.wait(self.state.items(scope)) == {key: there.value for key, there in kept.items()}
            for key in ("a", "é"):
                entry, there = self.wait(self.state.entry(scope, key)), kept.get(key)
                assert (entry and entry.version) == (there and there.version)


async def _next(subscription: Subscription) -> Any:
    async with asyncio.timeout(10):
        return await anext(subscription)


async def _comes_to_its_end(subscription: Subscription) -> None:
    async with asyncio.timeout(10):
        assert [change async for change in subscription] == []
