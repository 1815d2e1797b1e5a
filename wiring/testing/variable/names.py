"""VAR-1: what names, values, types and default fields may be."""

import uuid

import pytest

from bedplate.services.variable import (
    InvalidVariableError,
    VariableService,
    VariableTooLargeError,
    VariableType,
)
from bedplate.wiring.testing.variable.harness import Capabilities, VariableHarness

__all__ = ["Names"]


class Names(Capabilities):
    """VAR-1."""

    @pytest.mark.parametrize(
        "name", ["a", "My Key (2)", "ключ", "名前", "a/b.c:d", "👩‍👩‍👧", "x" * 255, "sk-", "a'; --"]
    )
    async def test_names_may_be_what_people_type(self, variables: VariableService, alice: uuid.UUID, name: str) -> None:
        """VAR-1: any printable text."""
        await variables.create(alice, name, "v")
        assert (await variables.get(alice, name)).name == name

    @pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a\x00b", "a\tb", "x" * 256, "\ud800", "a\u2028b"])
    async def test_other_names_are_refused(self, variables: VariableService, alice: uuid.UUID, name: str) -> None:
        """VAR-1: by an error that says what is wrong, and nothing is stored."""
        with pytest.raises(InvalidVariableError, match="the name of a variable"):
            await variables.create(alice, name, "v")
        await variables.create(alice, "fine", "v")
        with pytest.raises(InvalidVariableError, match="the name of a variable"):
            await variables.update(alice, "fine", name=name)
        assert [variable.name for variable in await variables.list(alice)] == ["fine"]

    async def test_bad_values_types_and_fields_are_refused(self, harness: VariableHarness, alice: uuid.UUID) -> None:
        """VAR-1, ALL-3: each by an error that says what is wrong, and nothing changes."""
        variables = await harness.variables(max_value_bytes=10)
        await variables.create(alice, "v", "ü" * 5, type=VariableType.GENERIC)
        for work, error, text in (
            (variables.update(alice, "v", value=""), InvalidVariableError, "cannot be empty"),
            (variables.create(alice, "w", ""), InvalidVariableError, "cannot be empty"),
            (variables.update(alice, "v", value="\ud800"), InvalidVariableError, "not valid Unicode"),
            (variables.update(alice, "v", value="ü" * 6), VariableTooLargeError, "has 12 bytes; at most 10"),
            (variables.update(alice, "v", type="Secret"), InvalidVariableError, "Credential or Generic"),
            (variables.update(alice, "v", default_fields="text"), InvalidVariableError, "a list of at most 100"),
            (variables.update(alice, "v", default_fields=["x"] * 101), InvalidVariableError, "a list of at most 100"),
            (variables.update(alice, "v", default_fields=["a\x00"]), InvalidVariableError, "default field"),
        ):
            with pytest.raises(error, match=text):
                await work
        assert (await variables.get(alice, "v")).value == "ü" * 5
