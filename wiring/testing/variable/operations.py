"""VAR-1: variables of users: made, read, listed, changed, deleted."""

import asyncio
import uuid

import pytest
from msgspec import structs
from pydantic import SecretStr

from bedplate.services.engines.redactor import MASK
from bedplate.services.errors import ConflictError, NotFoundError
from bedplate.services.variable import (
    InvalidVariableError,
    TooManyVariablesError,
    Variable,
    VariableExistsError,
    VariableNotFoundError,
    VariableService,
    VariableType,
)
from bedplate.wiring.testing.variable.harness import Capabilities, VariableHarness, value_of

__all__ = ["Operations"]


class Operations(Capabilities):
    """VAR-1."""

    async def test_a_variable_is_made_and_read_by_name_and_by_id(
        self, variables: VariableService, alice: uuid.UUID
    ) -> None:
        """VAR-1: create, get by id or name; a Generic value is shown."""
        made = await variables.create(
            alice, "region", "eu-1", type=VariableType.GENERIC, default_fields=["Region", "Zone", "Region"]
        )
        assert made.value == "eu-1"
        assert made.default_fields == ("Region", "Zone")
        assert await variables.get(alice, "region") == made
        assert await variables.get(alice, made.id) == made
        assert await variables.list(alice) == [made]

    async def test_credentials_are_never_shown(self, variables: VariableService, alice: uuid.UUID) -> None:
        """VAR-1: neither by list nor by get, create or update; only a flow gets the value."""
        made = await variables.create(alice, "OPENAI_API_KEY", SecretStr("sk-the-value-of-it"))
        assert made.type is VariableType.CREDENTIAL
        changed = await variables.update(alice, "OPENAI_API_KEY", default_fields=["api_key"])
        for shown in (made, changed, await variables.get(alice, made.id), *await variables.list(alice)):
            assert shown.value is None
            assert "the-value" not in repr(shown)
        resolved = await variables.resolve(alice, "OPENAI_API_KEY")
        assert resolved.get_secret_value() == "sk-the-value-of-it"
        assert "the-value" not in repr(resolved)

    async def test_a_rename_keeps_the_value(self, variables: VariableService, alice: uuid.UUID) -> None:
        """VAR-1: a rename-only change must not erase the secret."""
        made = await variables.create(alice, "old", "the value", default_fields=["x"])
        renamed = await variables.update(alice, made.id, name="new")
        assert renamed == structs.replace(made, name="new", version=2, updated_at=renamed.updated_at)
        assert renamed.updated_at >= made.updated_at
        assert await value_of(variables, alice, "new") == "the value"
        with pytest.raises(VariableNotFoundError):
            await variables.get(alice, "old")

    @pytest.mark.parametrize("type_", VariableType)
    async def test_a_partial_change_keeps_all_else(
        self, variables: VariableService, alice: uuid.UUID, type_: VariableType
    ) -> None:
        """VAR-1: each field alone."""
        await variables.create(alice, "v", "one", type=type_, default_fields=["a"])
        assert (await variables.update(alice, "v", value="two")).default_fields == ("a",)
        assert (await variables.update(alice, "v", default_fields=["b"])).type is type_
        assert await value_of(variables, alice, "v") == "two"
        assert (await variables.update(alice, "v", default_fields=[])).default_fields == ()
        before = await variables.get(alice, "v")
        assert await variables.update(alice, "v") == before
        assert await value_of(variables, alice, "v") == "two"

    async def test_a_credential_becomes_readable_only_with_a_new_value(
        self, variables: VariableService, alice: uuid.UUID
    ) -> None:
        """VAR-1: the change of the type must not reveal what was written as a credential."""
        await variables.create(alice, "v", "written-as-secret")
        with pytest.raises(InvalidVariableError, match="only with a new value"):
            await variables.update(alice, "v", type=VariableType.GENERIC, name="other")
        assert (await variables.get(alice, "v")).type is VariableType.CREDENTIAL
        shown = await variables.update(alice, "v", type="generic", value="for everybody")
        assert (shown.type, shown.value) == (VariableType.GENERIC, "for everybody")

    async def test_a_generic_variable_becomes_a_credential_with_its_value(
        self, variables: VariableService, alice: uuid.UUID, harness: VariableHarness
    ) -> None:
        """VAR-1, TRACE-4: and is masked from then on."""
        await variables.create(alice, "v", "was-readable", type=VariableType.GENERIC)
        assert harness.redactor.text("was-readable") == "was-readable"
        assert (await variables.update(alice, "v", type=VariableType.CREDENTIAL)).value is None
        assert await value_of(variables, alice, "v") == "was-readable"
        assert harness.redactor.text("was-readable") == MASK

    async def test_names_are_unique_per_user(
        self, variables: VariableService, alice: uuid.UUID, bob: uuid.UUID
    ) -> None:
        """VAR-1: also when two requests come at once."""
        results = await asyncio.gather(
            *(variables.create(alice, "same", f"value-{n}") for n in range(8)), return_exceptions=True
        )
        made = [result for result in results if isinstance(result, Variable)]
        refused = [result for result in results if isinstance(result, VariableExistsError)]
        assert (len(made), len(refused)) == (1, 7)
        assert isinstance(refused[0], ConflictError)
        await variables.create(bob, "same", "bob's")
        await variables.create(alice, "other", "x")
        with pytest.raises(VariableExistsError, match="'same'"):
            await variables.update(alice, "other", name="same")
        assert await value_of(variables, alice, "other") == "x"

    async def test_another_users_variable_does_not_exist(
        self, variables: VariableService, alice: uuid.UUID, bob: uuid.UUID
    ) -> None:
        """ALL-4: read, list, change, delete and use are the owner's; the error is that of a missing one."""
        made = await variables.create(alice, "key", "alice's value")
        for key in ("key", made.id):
            for work in (
                variables.get(bob, key),
                variables.update(bob, key, value="stolen"),
                variables.update(bob, key),
                variables.delete(bob, key),
            ):
                with pytest.raises(VariableNotFoundError) as caught:
                    await work
                assert isinstance(caught.value, NotFoundError)
                assert str(caught.value) == str(VariableNotFoundError(key))
        with pytest.raises(VariableNotFoundError):
            await variables.resolve(bob, "key")
        assert await variables.list(bob) == []
        assert await variables.resolve_many(bob, ["key"]) == {}
        assert await value_of(variables, alice, "key") == "alice's value"

    async def test_a_deleted_variable_is_gone(self, variables: VariableService, alice: uuid.UUID) -> None:
        """VAR-1: delete by name and by id; an unknown one is an error of the caller."""
        made = await variables.create(alice, "a", "x")
        await variables.create(alice, "b", "y")
        await variables.delete(alice, made.id)
        await variables.delete(alice, "b")
        assert await variables.list(alice) == []
        with pytest.raises(VariableNotFoundError):
            await variables.delete(alice, "b")

    async def test_the_number_of_variables_is_limited(
        self, harness: VariableHarness, alice: uuid.UUID, bob: uuid.UUID
    ) -> None:
        """ALL-6: per user, also when many are made at once."""
        self.require("counts_exactly")
        variables = await harness.variables(max_per_user=3)
        results = await asyncio.gather(
            *(variables.create(alice, f"v{n}", "x") for n in range(6)), return_exceptions=True
        )
        assert sum(isinstance(result, TooManyVariablesError) for result in results) == 3
        assert len(await variables.list(alice)) == 3
        await variables.create(bob, "v", "x")

    async def test_changes_at_once_are_all_kept(self, variables: VariableService, alice: uuid.UUID) -> None:
        """VAR-1: a change of one field never undoes another's change of another field."""
        made = await variables.create(alice, "v", "old", default_fields=["old"])
        await asyncio.gather(
            variables.update(alice, made.id, value="new"),
            variables.update(alice, made.id, name="renamed"),
            variables.update(alice, made.id, default_fields=["new"]),
        )
        after = await variables.get(alice, "renamed")
        assert after.default_fields == ("new",)
        assert await value_of(variables, alice, "renamed") == "new"
