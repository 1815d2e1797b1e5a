"""Variables of users: made, read, listed, changed, deleted (VAR-1)."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
from msgspec import structs
from pydantic import SecretStr

from bedplate.services.database import DatabaseService
from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.errors import ConflictError, NotFoundError, UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.variable import (
    InvalidVariableError,
    TooManyVariablesError,
    Variable,
    VariableExistsError,
    VariableNotFoundError,
    VariableService,
    VariableTooLargeError,
    VariableType,
)

MakeVariable = Callable[..., Awaitable[VariableService]]

GENERIC = VariableType.GENERIC
CREDENTIAL = VariableType.CREDENTIAL


async def value_of(variables: VariableService, user: uuid.UUID, name: str) -> str:
    return (await variables.resolve(user, name)).get_secret_value()


async def test_a_variable_is_made_and_read_by_name_and_by_id(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-1: create, get by id or name; a Generic value is shown."""
    made = await variables.create(alice, "region", "eu-1", type=GENERIC, default_fields=["Region", "Zone", "Region"])
    assert made.value == "eu-1"
    assert made.default_fields == ("Region", "Zone")
    assert await variables.get(alice, "region") == made
    assert await variables.get(alice, made.id) == made
    assert await variables.list(alice) == [made]


async def test_credentials_are_never_shown(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-1: neither by list nor by get, create or update; only a flow gets the value."""
    made = await variables.create(alice, "OPENAI_API_KEY", SecretStr("sk-the-value-of-it"))
    assert made.type is CREDENTIAL
    changed = await variables.update(alice, "OPENAI_API_KEY", default_fields=["api_key"])
    for shown in (made, changed, await variables.get(alice, made.id), *await variables.list(alice)):
        assert shown.value is None
        assert "the-value" not in repr(shown)
    resolved = await variables.resolve(alice, "OPENAI_API_KEY")
    assert resolved.get_secret_value() == "sk-the-value-of-it"
    assert "the-value" not in repr(resolved)


async def test_a_rename_keeps_the_value(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-1: a rename-only change must not erase the secret."""
    made = await variables.create(alice, "old", "the value", default_fields=["x"])
    renamed = await variables.update(alice, made.id, name="new")
    assert renamed == structs.replace(made, name="new", updated_at=renamed.updated_at)
    assert renamed.updated_at >= made.updated_at
    assert await value_of(variables, alice, "new") == "the value"
    with pytest.raises(VariableNotFoundError):
        await variables.get(alice, "old")


@pytest.mark.parametrize("type_", [CREDENTIAL, GENERIC])
async def test_a_partial_change_keeps_all_else(
    variables: VariableService, alice: uuid.UUID, type_: VariableType
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
    variables: VariableService, alice: uuid.UUID
) -> None:
    """VAR-1: the change of the type must not reveal what was written as a credential."""
    await variables.create(alice, "v", "written-as-secret")
    with pytest.raises(InvalidVariableError, match="only with a new value"):
        await variables.update(alice, "v", type=GENERIC, name="other")
    assert (await variables.get(alice, "v")).type is CREDENTIAL
    shown = await variables.update(alice, "v", type="generic", value="for everybody")
    assert (shown.type, shown.value) == (GENERIC, "for everybody")


async def test_a_generic_variable_becomes_a_credential_with_its_value(
    variables: VariableService, alice: uuid.UUID, redactor: Redactor
) -> None:
    await variables.create(alice, "v", "was-readable", type=GENERIC)
    assert redactor.text("was-readable") == "was-readable"
    assert (await variables.update(alice, "v", type=CREDENTIAL)).value is None
    assert await value_of(variables, alice, "v") == "was-readable"
    assert redactor.text("was-readable") == MASK


async def test_names_are_unique_per_user(variables: VariableService, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """VAR-1: by a constraint of the database, so that two requests at once cannot make two."""
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
    variables: VariableService, alice: uuid.UUID, bob: uuid.UUID
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


async def test_a_deleted_variable_is_gone(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-1: delete by name and by id; an unknown one is an error of the caller."""
    made = await variables.create(alice, "a", "x")
    await variables.create(alice, "b", "y")
    await variables.delete(alice, made.id)
    await variables.delete(alice, "b")
    assert await variables.list(alice) == []
    with pytest.raises(VariableNotFoundError):
        await variables.delete(alice, "b")


@pytest.mark.parametrize("name", ["a", "My Key (2)", "ключ", "名前", "a/b.c:d", "👩‍👩‍👧", "x" * 255, "sk-", "a'; --"])
async def test_names_may_be_what_people_type(variables: VariableService, alice: uuid.UUID, name: str) -> None:
    await variables.create(alice, name, "v")
    assert (await variables.get(alice, name)).name == name


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a\x00b", "a\tb", "x" * 256, "\ud800", "a\u2028b"])
async def test_other_names_are_refused(variables: VariableService, alice: uuid.UUID, name: str) -> None:
    """VAR-1: by an error that says what is wrong, and nothing is stored."""
    with pytest.raises(InvalidVariableError, match="the name of a variable"):
        await variables.create(alice, name, "v")
    await variables.create(alice, "fine", "v")
    with pytest.raises(InvalidVariableError, match="the name of a variable"):
        await variables.update(alice, "fine", name=name)
    assert [variable.name for variable in await variables.list(alice)] == ["fine"]


async def test_bad_values_types_and_fields_are_refused(make_variable: MakeVariable, alice: uuid.UUID) -> None:
    variables = await make_variable(max_value_bytes=10)
    await variables.create(alice, "v", "ü" * 5, type=GENERIC)
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


async def test_the_number_of_variables_is_limited(
    make_variable: MakeVariable, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """ALL-6: per user, also when many are made at once."""
    variables = await make_variable(max_per_user=3)
    results = await asyncio.gather(*(variables.create(alice, f"v{n}", "x") for n in range(6)), return_exceptions=True)
    assert sum(isinstance(result, TooManyVariablesError) for result in results) == 3
    assert len(await variables.list(alice)) == 3
    await variables.create(bob, "v", "x")


async def test_changes_at_once_are_all_kept(variables: VariableService, alice: uuid.UUID) -> None:
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


async def test_a_change_that_always_comes_too_late_says_so(
    variables: VariableService, alice: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await variables.create(alice, "v", "x")

    async def never(*_args: object, **_kwargs: object) -> bool:
        return False

    monkeypatch.setattr(variables._backend, "replace", never)
    with pytest.raises(ConflictError, match="being changed by others"):
        await variables.update(alice, "v", value="y")


async def test_variables_join_the_callers_transaction(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID
) -> None:
    """DB-2: a service called inside a transaction is part of it; a caught error undoes its own part alone."""
    await variables.create(alice, "before", "x")
    with pytest.raises(RuntimeError):
        async with database.transaction():
            await variables.create(alice, "inside", "y")
            await variables.update(alice, "before", value="changed")
            with pytest.raises(VariableExistsError):
                await variables.create(alice, "inside", "again")
            assert await value_of(variables, alice, "inside") == "y"
            raise RuntimeError
    assert [variable.name for variable in await variables.list(alice)] == ["before"]
    assert await value_of(variables, alice, "before") == "x"


async def test_cancelled_at_every_await(
    variables: VariableService,
    alice: uuid.UUID,
    interrupted: Callable[[Callable[[], Coroutine[Any, Any, object]]], AsyncIterator[bool]],
) -> None:
    """ALL-1: a change happens or does not; nothing stays locked and no value is lost."""
    await variables.create(alice, "v", "value-0", default_fields=["f"])
    tried = ["value-0"]

    async def change() -> None:
        tried.append(f"value-{len(tried)}")
        await variables.update(alice, "v", value=tried[-1])

    before = "value-0"
    async for through in interrupted(change):
        value = await value_of(variables, alice, "v")
        assert value in ((tried[-1],) if through else (before, tried[-1]))
        assert (await variables.get(alice, "v")).default_fields == ("f",)
        before = value
    assert before == tried[-1]
    assert len(tried) > 4

    names = []

    async def create() -> None:
        names.append(f"w{len(names)}")
        await variables.create(alice, names[-1], "x")

    async for through in interrupted(create):
        stored = {variable.name for variable in await variables.list(alice)}
        assert not through or names[-1] in stored


async def test_nothing_works_before_the_start_and_after_the_stop(variables: VariableService, alice: uuid.UUID) -> None:
    """ALL-1: start and stop are idempotent; what comes between has a clear error."""
    await variables.create(alice, "v", "x")
    await variables.start()
    assert (await variables.health()).status is HealthStatus.UP
    await variables.stop()
    await variables.stop()
    assert (await variables.health()).status is HealthStatus.DOWN
    for work in (
        variables.create(alice, "w", "x"),
        variables.get(alice, "v"),
        variables.list(alice),
        variables.update(alice, "v", value="y"),
        variables.delete(alice, "v"),
        variables.resolve(alice, "v"),
    ):
        with pytest.raises(UnavailableError, match="not started"):
            await work
    await variables.start()
    assert await value_of(variables, alice, "v") == "x"
