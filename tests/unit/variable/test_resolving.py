"""What flows get: the user's own value, else the operator's (VAR-3)."""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import VariableRow
from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService
from bedplate.services.variable import (
    InvalidVariableError,
    UndecryptableVariableError,
    VariableNotFoundError,
    VariableService,
    VariableType,
)

MakeVariable = Callable[..., Awaitable[VariableService]]


@pytest.fixture
async def variables(make_variable: MakeVariable, monkeypatch: pytest.MonkeyPatch) -> VariableService:
    monkeypatch.setenv("OPENAI_API_KEY", "operator-openai-key")
    monkeypatch.setenv("DATABASE_PASSWORD", "not-allow-listed")
    monkeypatch.setenv("EMPTY_KEY", "")
    return await make_variable(operator_variables=("OPENAI_API_KEY", "EMPTY_KEY", "UNSET_KEY"))


async def value_of(variables: VariableService, user: uuid.UUID, name: str) -> str:
    return (await variables.resolve(user, name)).get_secret_value()


async def test_an_operator_variable_is_used_where_the_user_has_none(
    variables: VariableService, alice: uuid.UUID
) -> None:
    """VAR-3: usable by reference in flows."""
    assert await value_of(variables, alice, "OPENAI_API_KEY") == "operator-openai-key"


async def test_an_operator_variable_is_readable_by_nobody_and_stored_nowhere(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-3: using it copies it into no vault, and no user sees, changes or deletes it."""
    await variables.resolve(alice, "OPENAI_API_KEY")
    assert await variables.list(alice) == []
    for work in (
        variables.get(alice, "OPENAI_API_KEY"),
        variables.update(alice, "OPENAI_API_KEY", value="x"),
        variables.delete(alice, "OPENAI_API_KEY"),
    ):
        with pytest.raises(VariableNotFoundError):
            await work
    async with database.session() as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(VariableRow)) == 0


async def test_a_users_own_value_always_comes_first(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-3: it is never overwritten by the operator's, not at login and not at a restart."""
    await variables.create(alice, "OPENAI_API_KEY", "alice's own key")
    assert await value_of(variables, alice, "OPENAI_API_KEY") == "alice's own key"
    await variables.stop()
    await variables.start()
    assert await value_of(variables, alice, "OPENAI_API_KEY") == "alice's own key"
    assert os.environ["OPENAI_API_KEY"] == "operator-openai-key"
    await variables.delete(alice, "OPENAI_API_KEY")
    assert await value_of(variables, alice, "OPENAI_API_KEY") == "operator-openai-key"


@pytest.mark.parametrize("name", ["DATABASE_PASSWORD", "EMPTY_KEY", "UNSET_KEY", "PATH", "", "nothing"])
async def test_nothing_else_of_the_environment_is_reachable(
    variables: VariableService, alice: uuid.UUID, name: str
) -> None:
    """VAR-3: an allow-list; a name that is not on it reads like any unknown one."""
    with pytest.raises(VariableNotFoundError) as caught:
        await variables.resolve(alice, name)
    assert str(caught.value) == str(VariableNotFoundError(name))


async def test_the_operators_value_does_not_stand_in_for_a_damaged_own_one(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID
) -> None:
    await variables.create(alice, "OPENAI_API_KEY", "alice's own key")
    async with database.transaction() as session:
        await session.exec(sa.update(VariableRow).values(value=b"damaged"))
    with pytest.raises(UndecryptableVariableError):
        await variables.resolve(alice, "OPENAI_API_KEY")


async def test_operator_variables_are_masked_from_the_start(variables: VariableService, redactor: Redactor) -> None:
    """TRACE-4: before the first flow uses them."""
    assert redactor.text("operator-openai-key not-allow-listed") == f"{MASK} not-allow-listed"


@pytest.mark.parametrize("name", ["BEDPLATE_SECRET_KEY", "bedplate_auth__superuser_password", ""])
def test_bedplates_own_environment_cannot_be_allow_listed(name: str) -> None:
    """VAR-3: or any user's flow could send the secret key somewhere."""
    with pytest.raises(ConfigurationError):
        SettingsService(variable={"operator_variables": (name,)})


async def test_many_are_resolved_in_one_read(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VAR-1: a flow with a hundred references costs one query."""
    for n in range(100):
        await variables.create(alice, f"v{n}", f"value-{n}", type=list(VariableType)[n % 2])
    opened = 0
    session = database.session

    def counting() -> object:
        nonlocal opened
        opened += 1
        return session()

    monkeypatch.setattr(database, "session", counting)
    names = [f"v{n}" for n in range(100)] + ["OPENAI_API_KEY", "unknown", "v0"]
    found = await variables.resolve_many(alice, names)
    assert opened == 1
    assert {name: value.get_secret_value() for name, value in found.items()} == {
        **{f"v{n}": f"value-{n}" for n in range(100)},
        "OPENAI_API_KEY": "operator-openai-key",
    }
    with pytest.raises(InvalidVariableError, match="at most 1000"):
        await variables.resolve_many(alice, (str(n) for n in range(1001)))
    assert await variables.resolve_many(alice, ()) == {}


async def test_a_key_in_the_place_of_its_name_does_not_come_back_in_the_error(
    variables: VariableService, alice: uuid.UUID
) -> None:
    """ALL-3: people paste keys where the name belongs."""
    with pytest.raises(VariableNotFoundError) as caught:
        await variables.resolve(alice, "sk-proj-abcdefghijklmnop0123456789")
    assert "abcdef" not in str(caught.value)
    with pytest.raises(VariableNotFoundError) as caught:
        await variables.resolve(alice, "x" * 10_000)
    assert len(str(caught.value)) < 300


async def test_users_who_resolve_at_once_get_their_own(
    variables: VariableService, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """ALL-4: no cross-talk between tasks."""
    await variables.create(alice, "key", "alice's key")
    await variables.create(bob, "key", "bob's key")
    found = await asyncio.gather(*(value_of(variables, user, "key") for user in (alice, bob) * 50))
    assert found == ["alice's key", "bob's key"] * 50
