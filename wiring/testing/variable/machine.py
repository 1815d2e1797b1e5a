"""VAR-1: any sequence of operations does what the same sequence does to a model."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bedplate.services.variable import (
    InvalidVariableError,
    VariableExistsError,
    VariableNotFoundError,
    VariableService,
    VariableType,
)
from bedplate.wiring.testing.variable.harness import Capabilities, VariableHarness

__all__ = ["Machine"]

_USERS = st.integers(0, 1)
_NAMES = st.sampled_from(("a", "A", "é", "名前"))
_VALUES = st.text(min_size=1, max_size=30)
_FIELDS = st.lists(st.sampled_from(("x", "y", "z")), max_size=3, unique=True)
_TYPES = st.sampled_from(VariableType)


class _Expected(NamedTuple):
    id: uuid.UUID
    type: VariableType
    value: str
    fields: tuple[str, ...]


class Services(NamedTuple):
    """What a machine works on; ``wait`` runs something on the loop of the service and returns its result."""

    variables: VariableService
    harness: VariableHarness
    wait: Callable[[Coroutine[Any, Any, Any]], Any]
    ordered: bool


class Machine(Capabilities):
    """VAR-1."""

    async def test_any_sequence_of_operations(self, harness: VariableHarness) -> None:
        """VAR-1, ALL-4: names, values, types and fields of two users, against a model."""
        variables, loop = await harness.variables(), asyncio.get_running_loop()

        def wait(work: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        class Bound(Model):
            services = Services(variables, harness, wait, self.ordered)

        # Hypothesis drives its machines without a loop: from a thread, on the loop of the test.
        limits = settings(max_examples=15, stateful_step_count=20, deadline=None)
        await asyncio.to_thread(run_state_machine_as_test, Bound, settings=limits)


class Model(RuleBasedStateMachine):
    """Two users of its own, and what each of them should have, in order."""

    services: ClassVar[Services]

    def __init__(self) -> None:
        super().__init__()
        self.variables, harness, self.wait, self.ordered = self.services
        self.users = [self.wait(harness.user()) for _ in range(2)]
        self.expected: list[dict[str, _Expected]] = [{}, {}]

    def pick(self, who: int, number: int) -> tuple[str, _Expected]:
        """One of the variables of a user."""
        mine = list(self.expected[who].items())
        return mine[number % len(mine)]

    @rule(who=_USERS, name=_NAMES, value=_VALUES, kind=_TYPES, fields=_FIELDS)
    def create(self, who: int, name: str, value: str, kind: VariableType, fields: list[str]) -> None:
        """VAR-1: one of a new name."""
        work = self.variables.create(self.users[who], name, value, type=kind, default_fields=fields)
        if name in self.expected[who]:
            with pytest.raises(VariableExistsError):
                self.wait(work)
        else:
            made = self.wait(work)
            self.expected[who][name] = _Expected(made.id, kind, value, tuple(fields))

    @precondition(lambda self: any(self.expected))
    @rule(who=_USERS, number=st.integers(0, 9), name=_NAMES, by_id=st.booleans())
    def rename(self, who: int, number: int, name: str, by_id: bool) -> None:
        """VAR-1: with all else kept."""
        if not self.expected[who]:
            return
        old, there = self.pick(who, number)
        work = self.variables.update(self.users[who], there.id if by_id else old, name=name)
        if name != old and name in self.expected[who]:
            with pytest.raises(VariableExistsError):
                self.wait(work)
        else:
            self.wait(work)
            self.expected[who] = {name if key == old else key: one for key, one in self.expected[who].items()}

    @precondition(lambda self: any(self.expected))
    @rule(
        who=_USERS,
        number=st.integers(0, 9),
        value=st.none() | _VALUES,
        kind=st.none() | _TYPES,
        fields=st.none() | _FIELDS,
    )
    def change(
        self, who: int, number: int, value: str | None, kind: VariableType | None, fields: list[str] | None
    ) -> None:
        """VAR-1: what is given, and nothing else."""
        if not self.expected[who]:
            return
        name, there = self.pick(who, number)
        work = self.variables.update(self.users[who], name, value=value, type=kind, default_fields=fields)
        if there.type is VariableType.CREDENTIAL and kind is VariableType.GENERIC and value is None:
            with pytest.raises(InvalidVariableError):
                self.wait(work)
            return
        self.wait(work)
        self.expected[who][name] = _Expected(
            there.id, kind or there.type, value or there.value, there.fields if fields is None else tuple(fields)
        )

    @rule(who=_USERS, name=_NAMES)
    def delete(self, who: int, name: str) -> None:
        """VAR-1: by name, of this user alone."""
        work = self.variables.delete(self.users[who], name)
        if self.expected[who].pop(name, None) is None:
            with pytest.raises(VariableNotFoundError):
                self.wait(work)
        else:
            self.wait(work)

    @invariant()
    def all_is_as_expected(self) -> None:
        """VAR-1: in lists, by id, and for flows."""
        for user, expected in zip(self.users, self.expected, strict=True):
            listed = self.wait(self.variables.list(user))
            shown = [(one.name, one.id, one.type, one.default_fields) for one in listed]
            wanted = [(name, one.id, one.type, one.fields) for name, one in expected.items()]
            assert shown == wanted if self.ordered else sorted(shown) == sorted(wanted)
            for one in listed:
                readable = one.type is VariableType.GENERIC
                assert one.value == (expected[one.name].value if readable else None)
                assert self.wait(self.variables.get(user, one.id)) == one
            found = self.wait(self.variables.resolve_many(user, ("a", "A", "é", "名前")))
            assert {name: value.get_secret_value() for name, value in found.items()} == {
                name: one.value for name, one in expected.items()
            }
