"""VAR-3: what flows get: the user's own value, else the operator's."""

import asyncio
import os
import uuid

import pytest

from bedplate.services.engines.redactor import MASK
from bedplate.services.variable import UndecryptableVariableError, VariableNotFoundError, VariableService
from bedplate.wiring.testing.variable.harness import Capabilities, VariableHarness, value_of

__all__ = ["Resolving"]


class Resolving(Capabilities):
    """VAR-3."""

    @pytest.fixture
    async def allowing(self, harness: VariableHarness, monkeypatch: pytest.MonkeyPatch) -> VariableService:
        """A service whose operator lets flows use some environment variables."""
        monkeypatch.setenv("OPENAI_API_KEY", "operator-openai-key")
        monkeypatch.setenv("DATABASE_PASSWORD", "not-allow-listed")
        monkeypatch.setenv("EMPTY_KEY", "")
        return await harness.variables(operator_variables=("OPENAI_API_KEY", "EMPTY_KEY", "UNSET_KEY"))

    async def test_an_operator_variable_is_used_where_the_user_has_none(
        self, allowing: VariableService, alice: uuid.UUID
    ) -> None:
        """VAR-3: usable by reference in flows."""
        assert await value_of(allowing, alice, "OPENAI_API_KEY") == "operator-openai-key"

    async def test_an_operator_variable_is_readable_by_nobody_and_stored_nowhere(
        self, allowing: VariableService, harness: VariableHarness, alice: uuid.UUID
    ) -> None:
        """VAR-3: using it copies it into no vault, and no user sees, changes or deletes it."""
        await allowing.resolve(alice, "OPENAI_API_KEY")
        assert await allowing.list(alice) == []
        for work in (
            allowing.get(alice, "OPENAI_API_KEY"),
            allowing.update(alice, "OPENAI_API_KEY", value="x"),
            allowing.delete(alice, "OPENAI_API_KEY"),
        ):
            with pytest.raises(VariableNotFoundError):
                await work
        assert await harness.kept() == {}

    async def test_a_users_own_value_always_comes_first(self, allowing: VariableService, alice: uuid.UUID) -> None:
        """VAR-3: it is never overwritten by the operator's, not at login and not at a restart."""
        await allowing.create(alice, "OPENAI_API_KEY", "alice's own key")
        assert await value_of(allowing, alice, "OPENAI_API_KEY") == "alice's own key"
        await allowing.stop()
        await allowing.start()
        assert await value_of(allowing, alice, "OPENAI_API_KEY") == "alice's own key"
        assert os.environ["OPENAI_API_KEY"] == "operator-openai-key"
        await allowing.delete(alice, "OPENAI_API_KEY")
        assert await value_of(allowing, alice, "OPENAI_API_KEY") == "operator-openai-key"

    @pytest.mark.parametrize("name", ["DATABASE_PASSWORD", "EMPTY_KEY", "UNSET_KEY", "PATH", "", "nothing"])
    async def test_nothing_else_of_the_environment_is_reachable(
        self, allowing: VariableService, alice: uuid.UUID, name: str
    ) -> None:
        """VAR-3: an allow-list; a name that is not on it reads like any unknown one."""
        with pytest.raises(VariableNotFoundError) as caught:
            await allowing.resolve(alice, name)
        assert str(caught.value) == str(VariableNotFoundError(name))

    async def test_the_operators_value_does_not_stand_in_for_a_damaged_own_one(
        self, allowing: VariableService, harness: VariableHarness, alice: uuid.UUID
    ) -> None:
        """VAR-2, VAR-3: the damage has to be seen."""
        made = await allowing.create(alice, "OPENAI_API_KEY", "alice's own key")
        await harness.overwrite(made.id, b"damaged")
        with pytest.raises(UndecryptableVariableError):
            await allowing.resolve(alice, "OPENAI_API_KEY")

    async def test_operator_variables_are_masked_from_the_start(
        self, allowing: VariableService, harness: VariableHarness
    ) -> None:
        """TRACE-4: before the first flow uses them."""
        assert harness.redactor.text("operator-openai-key not-allow-listed") == f"{MASK} not-allow-listed"

    async def test_users_who_resolve_at_once_get_their_own(
        self, allowing: VariableService, alice: uuid.UUID, bob: uuid.UUID
    ) -> None:
        """ALL-4: no cross-talk between tasks."""
        await allowing.create(alice, "key", "alice's key")
        await allowing.create(bob, "key", "bob's key")
        found = await asyncio.gather(*(value_of(allowing, user, "key") for user in (alice, bob) * 50))
        assert found == ["alice's key", "bob's key"] * 50

    async def test_a_key_in_the_place_of_its_name_does_not_come_back_in_the_error(
        self, allowing: VariableService, alice: uuid.UUID
    ) -> None:
        """ALL-3: people paste keys where the name belongs."""
        with pytest.raises(VariableNotFoundError) as caught:
            await allowing.resolve(alice, "sk-proj-abcdefghijklmnop0123456789")
        assert "abcdef" not in str(caught.value)
        with pytest.raises(VariableNotFoundError) as caught:
            await allowing.resolve(alice, "x" * 10_000)
        assert len(str(caught.value)) < 300
