"""STATE-1: values by key, in scopes, each caller's own; versions with compare-and-set."""

import asyncio
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.state import (
    Scope,
    StateConflictError,
    StateEntry,
    StateKeyError,
    StateService,
    StateValueError,
)
from bedplate.wiring.testing.state.harness import Capabilities

__all__ = ["VALUES", "Values"]

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.uuids(), st.dates()
)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)
_LOOSE = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


class Values(Capabilities):
    """STATE-1."""

    @_LOOSE
    @given(value=VALUES, items=st.lists(VALUES, max_size=4))
    async def test_what_is_set_comes_back(self, value: Any, items: list[Any], state: StateService, run: Scope) -> None:
        """STATE-1: equal and of the same type; with items appended to it, if it is a list or becomes one."""
        await state.set(run, "key", value)
        assert _typed(await state.get(run, "key")) == _typed(value)
        expected = list(value) if type(value) is list else [value]
        for item in items:
            await state.append(run, "key", item)
            expected.append(item)
        assert _typed(await state.get(run, "key")) == _typed(expected if items else value)

    async def test_missing_values(self, state: StateService, run: Scope) -> None:
        """STATE-1: a default, None for an entry, False for a deletion; None is a value like others."""
        assert await state.get(run, "key") is None
        assert await state.get(run, "key", "") == ""
        assert await state.entry(run, "key") is None
        assert await state.items(run) == {}
        assert not await state.delete(run, "key")
        await state.set(run, "key", None)
        assert await state.get(run, "key", "default") is None
        assert await state.delete(run, "key")
        assert await state.get(run, "key", "default") == "default"

    async def test_what_callers_get_is_their_own(self, state: StateService, run: Scope) -> None:
        """STATE-1: neither what was given nor what was got is shared with anybody."""
        given_value = {"list": [1]}
        await state.set(run, "key", given_value)
        given_value["list"].append(2)
        one = await state.get(run, "key")
        one["list"].append(3)
        one["more"] = True
        entry = await state.entry(run, "key")
        assert entry is not None
        entry.value["list"].clear()
        (await state.items(run))["key"]["list"].clear()
        assert await state.get(run, "key") == {"list": [1]}

    async def test_lists_grow(self, state: StateService, run: Scope) -> None:
        """STATE-1: from nothing, from a value, over every length of header, read in between or not."""
        await state.append(run, "new", b"raw")
        assert await state.get(run, "new") == [b"raw"]
        await state.set(run, "tuple", (1, 2))
        await state.append(run, "tuple", 3)
        assert await state.get(run, "tuple") == [(1, 2), 3]
        for start in (14, 65_534):
            await state.set(run, "long", list(range(start)))
            for number in range(start, start + 4):
                await state.append(run, "long", number)
                assert await state.get(run, "long") == list(range(number + 1))

    async def test_items_and_clear(self, state: StateService, run: Scope) -> None:
        """STATE-1: all of a scope, in the order of the keys' first values."""
        for key in ("b", "a", "c"):
            await state.set(run, key, key.upper())
        await state.set(run, "b", "again")
        assert list((await state.items(run)).items()) == [("b", "again"), ("a", "A"), ("c", "C")]
        assert await state.clear(run) == 3
        assert await state.items(run) == {}
        assert await state.clear(run) == 0

    async def test_scopes_are_apart(self, state: StateService, user_id: uuid.UUID) -> None:
        """STATE-1: run, session, user and application, and two of each kind."""
        one, other = uuid.uuid4(), uuid.uuid4()
        scopes = [
            Scope.run(user_id, one),
            Scope.run(user_id, other),
            Scope.session(user_id, one, "s"),
            Scope.session(user_id, other, "s"),
            Scope.session(user_id, one, "t"),
            Scope.user(user_id),
            Scope.app(),
        ]
        for number, scope in enumerate(scopes):
            await state.set(scope, "key", number)
        assert [await state.get(scope, "key") for scope in scopes] == list(range(len(scopes)))
        await state.close(scopes[0])
        assert [await state.get(scope, "key") for scope in scopes] == [None, *range(1, len(scopes))]
        await state.clear(Scope.app())

    async def test_another_users_values_do_not_exist(self, state: StateService, run: Scope) -> None:
        """ALL-4: whatever is done under another owner with the same ids and keys."""
        await state.set(run, "key", "mine")
        theirs = Scope.run(uuid.uuid4(), uuid.UUID(run.name.rpartition("/")[2]))
        assert await state.get(theirs, "key") is None
        assert await state.items(theirs) == {}
        assert not await state.delete(theirs, "key")
        assert await state.clear(theirs) == await state.close(theirs) == 0
        await state.append(theirs, "key", "theirs")
        assert await state.get(run, "key") == "mine"

    async def test_compare_and_set(self, state: StateService, run: Scope) -> None:
        """STATE-1: only from the version expected; a refused change changes nothing and tells what there is."""
        first = await state.set(run, "key", 1, expected=0)
        second = await state.set(run, "key", 2, expected=first)
        assert await state.entry(run, "key") == StateEntry(value=2, version=second, expires_in=None)
        for refused in (state.set(run, "key", 3, expected=first), state.delete(run, "key", expected=0)):
            with pytest.raises(StateConflictError) as caught:
                await refused
            assert caught.value.current == second
        assert await state.get(run, "key") == 2
        assert await state.delete(run, "key", expected=second)
        with pytest.raises(StateConflictError, match="version 0"):
            await state.set(run, "key", 3, expected=second)
        with pytest.raises(StateConflictError, match="version 0"):
            await state.delete(run, "key", expected=second)

    async def test_versions_are_never_used_twice(self, state: StateService, run: Scope) -> None:
        """STATE-1: they grow, whatever happens to key and scope in between."""
        versions = [await state.set(run, "key", 0), await state.append(run, "key", 1)]
        await state.delete(run, "key")
        versions.append(await state.set(run, "key", 0))
        await state.clear(run)
        versions.append(await state.append(run, "key", 0))
        await state.close(run)
        versions.append(await state.set(run, "key", 0))
        assert versions == sorted(set(versions))

    async def test_concurrent_changes_are_all_kept(self, state: StateService, run: Scope) -> None:
        """STATE-1: updates and appends of many tasks at once."""

        async def work(number: int) -> None:
            await state.update(run, "sum", lambda value: value + number, default=0)
            await state.append(run, "list", number)

        await asyncio.gather(*(work(number) for number in range(50)))
        assert await state.get(run, "sum") == sum(range(50))
        assert sorted(await state.get(run, "list")) == list(range(50))

    async def test_what_cannot_be_kept_is_refused(self, state: StateService, run: Scope) -> None:
        """ALL-3: by type and place, and nothing changes."""
        await state.set(run, "key", [])
        for call in (state.set, state.append):
            with pytest.raises(
                StateValueError, match=r"builtins\.object cannot be kept; it stands at value\['a'\]\[1\]"
            ):
                await call(run, "key", {"a": [1, object()]})
        assert await state.get(run, "key") == []
        await state.set(run, "key", [datetime.now(UTC), Decimal("1.5"), {1, 2}])

    async def test_impossible_keys_scopes_and_times_are_refused(self, state: StateService, run: Scope) -> None:
        """ALL-3: by every method, before anything is looked at."""
        for key in ("", "k" * 513, "é" * 257, "\ud800", None, 7, b"key"):
            wrong: Any = key
            for call in (
                state.get(run, wrong),
                state.entry(run, wrong),
                state.set(run, wrong, 1),
                state.append(run, wrong, 1),
                state.update(run, wrong, lambda value: value),
                state.delete(run, wrong),
                state.subscribe(run, wrong),
            ):
                with pytest.raises(StateKeyError):
                    await call
        nowhere: Any = "run/a/b"
        for call in (state.get(nowhere, "k"), state.set(nowhere, "k", 1), state.items(nowhere), state.close(nowhere)):
            with pytest.raises(StateKeyError, match="scope"):
                await call
        for ttl in (0, -1, float("nan"), "5", True):
            seconds: Any = ttl
            with pytest.raises(StateKeyError, match="live"):
                await state.set(run, "key", 1, ttl=seconds)
        with pytest.raises(StateKeyError, match="session"):
            Scope.session(uuid.uuid4(), uuid.uuid4(), "s" * 1025)
        with pytest.raises(StateKeyError, match="Unicode"):
            Scope.session(uuid.uuid4(), uuid.uuid4(), "\ud800")
        session = Scope.session(uuid.uuid4(), uuid.uuid4(), "a/b\0:é 1\n")
        await state.append(session, " \0 key", 1, ttl=1000)
        assert await state.items(session) == {" \0 key": [1]}
        await state.set(run, "é" * 256, 1)
        assert await state.get(run, "é" * 256) == 1


def _typed(value: Any) -> Any:
    """The value with its types, for 1, 1.0 and True are equal."""
    if isinstance(value, dict):
        return ("dict", [(_typed(key), _typed(item)) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return (type(value).__name__, [_typed(item) for item in value])
    return (type(value).__name__, value)
