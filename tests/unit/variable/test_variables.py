"""Variables of users: made, read, listed, changed, deleted (VAR-1)."""

import uuid
from collections.abc import Awaitable, Callable

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.errors import ConflictError
from bedplate.services.variable import (
    VariableExistsError,
    VariableService,
    VariableType,
)

MakeVariable = Callable[..., Awaitable[VariableService]]

GENERIC = VariableType.GENERIC
CREDENTIAL = VariableType.CREDENTIAL


async def value_of(variables: VariableService, user: uuid.UUID, name: str) -> str:
    return (await variables.resolve(user, name)).get_secret_value()


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
