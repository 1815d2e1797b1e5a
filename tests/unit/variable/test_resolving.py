"""What flows get: the user's own value, else the operator's (VAR-3)."""

import uuid
from collections.abc import Awaitable, Callable

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService
from bedplate.services.variable import (
    InvalidVariableError,
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
