"""Earlier values of variables, changes that are meant for a version, and values that are shown (VAR-4)."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import structs
from tests.unit.variable.at_rest import AtRest, both

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import AuditEventRow, VariableRow, VariableVersionRow
from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.variable import (
    RevealDisabledError,
    UndecryptableVariableError,
    VariableChangedError,
    VariableNotFoundError,
    VariableService,
    VariableType,
)

MakeVariable = Callable[..., Awaitable[VariableService]]

GENERIC = VariableType.GENERIC
CREDENTIAL = VariableType.CREDENTIAL


async def value_of(variables: VariableService, user: uuid.UUID, name: str, version: int | None = None) -> str:
    return (await variables.reveal(user, name, version=version)).value.get_secret_value()


@both
async def test_each_value_is_kept_with_its_version(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-4: a rename makes a new version, and keeps no second copy of the value; credentials are never shown."""
    made = await variables.create(alice, "g", "one", type=GENERIC)
    await variables.update(alice, "g", value="two")
    await variables.update(alice, "g", name="h", default_fields=["x"])
    last = await variables.update(alice, "h", value="three")
    versions = await variables.history.list(alice, "h")
    assert [(one.version, one.value, one.current) for one in versions] == [
        (4, "three", True),
        (3, "two", False),
        (1, "one", False),
    ]
    assert versions[-1].created_at == made.created_at
    assert versions[0].created_at == last.updated_at
    await variables.create(alice, "c", "secret one")
    await variables.update(alice, "c", value="secret two")
    assert [(one.version, one.value) for one in await variables.history.list(alice, "c")] == [(2, None), (1, None)]


@both
async def test_a_bounded_number_is_kept(make_variable: MakeVariable, at_rest: AtRest, alice: uuid.UUID) -> None:
    """VAR-4, ALL-6: the latest; none where none is wanted."""
    variables = await make_variable(max_versions=2)
    await variables.create(alice, "v", "1")
    for number in range(2, 7):
        await variables.update(alice, "v", value=str(number))
    assert [one.version for one in await variables.history.list(alice, "v")] == [6, 5, 4]
    none = await make_variable(max_versions=0)
    await none.update(alice, "v", value="7")
    assert [one.version for one in await none.history.list(alice, "v")] == [7]
    assert not [one for one in await at_rest.values() if one.earlier]


@both
async def test_an_earlier_value_is_restored_as_a_new_version(
    variables: VariableService, alice: uuid.UUID, redactor: Redactor
) -> None:
    """VAR-4: with the type of then, under the name of now; what it replaces is kept in turn."""
    await variables.create(alice, "v", "readable", type=GENERIC, default_fields=["a"])
    await variables.update(alice, "v", name="w", value="hidden-credential", type=CREDENTIAL)
    restored = await variables.history.restore(alice, "w", 1)
    assert (restored.name, restored.value, restored.type, restored.version) == ("w", "readable", GENERIC, 3)
    assert restored.default_fields == ("a",)
    again = await variables.history.restore(alice, "w", 2)
    assert (again.type, again.value, again.version) == (CREDENTIAL, None, 4)
    assert await value_of(variables, alice, "w") == "hidden-credential"
    assert redactor.text("hidden-credential") == MASK
    assert [one.version for one in await variables.history.list(alice, "w")] == [4, 3, 2, 1]


@both
async def test_a_change_meant_for_another_version_is_refused(variables: VariableService, alice: uuid.UUID) -> None:
    """VAR-4: compare and set, of updates and restores; of many at once, one wins."""
    made = await variables.create(alice, "v", "1", type=GENERIC)
    assert made.version == 1
    results = await asyncio.gather(
        *(variables.update(alice, "v", value=f"by {n}", expected_version=1) for n in range(10)), return_exceptions=True
    )
    won = [one for one in results if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert {type(one) for one in results if one not in won} == {VariableChangedError}
    assert (await variables.get(alice, "v")).value == won[0].value
    for work in (
        variables.update(alice, "v", name="x", expected_version=1),
        variables.update(alice, "v", expected_version=3),
        variables.history.restore(alice, "v", 1, expected_version=1),
    ):
        with pytest.raises(VariableChangedError, match="version 2"):
            await work
    assert (await variables.history.restore(alice, "v", 1, expected_version=2)).value == "1"


@both
async def test_versions_are_of_the_owner_alone(variables: VariableService, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """VAR-4, ALL-4: to another user they do not exist; nor do versions that there never were."""
    made = await variables.create(alice, "v", "1")
    await variables.update(alice, "v", value="2")
    works: list[Callable[[uuid.UUID, Any, int], Awaitable[object]]] = [
        lambda user, key, _: variables.history.list(user, key),
        lambda user, key, version: variables.history.restore(user, key, version),
        lambda user, key, version: variables.reveal(user, key, version=version),
    ]
    for work in works:
        for key in (made.id, "v"):
            with pytest.raises(VariableNotFoundError):
                await work(bob, key, 1)
    for work in works[1:]:
        for version in (0, 3, -1, 10**9):
            with pytest.raises(VariableNotFoundError, match="'v, version"):
                await work(alice, "v", version)


@both
async def test_earlier_values_go_with_their_variable(
    variables: VariableService, at_rest: AtRest, alice: uuid.UUID
) -> None:
    """VAR-4: and a new one of the same name has none of them."""
    await variables.create(alice, "v", "1")
    await variables.update(alice, "v", value="2")
    await variables.delete(alice, "v")
    assert not [one for one in await at_rest.values() if one.earlier]
    await variables.create(alice, "v", "3")
    assert [one.version for one in await variables.history.list(alice, "v")] == [1]


async def test_earlier_values_are_encrypted_and_bound_too(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-2, VAR-4: an earlier value of another variable or user does not open here."""
    for user, secret in ((alice, "alice's old secret"), (bob, "bob's old secret")):
        await variables.create(user, "v", secret, type=GENERIC)
        await variables.update(user, "v", value="new")
    async with database.session() as session:
        rows = {row.user_id: row.value for row in (await session.exec(sa.select(VariableVersionRow))).scalars()}
    assert all(b"secret" not in value for value in rows.values())
    async with database.transaction() as session:
        mine = sa.update(VariableVersionRow).where(VariableVersionRow.user_id == bob)
        await session.exec(mine.values(value=rows[alice]))
    with pytest.raises(UndecryptableVariableError):
        await variables.reveal(bob, "v", version=1)
    with pytest.raises(UndecryptableVariableError):
        await variables.history.restore(bob, "v", 1)
    assert [one.value for one in await variables.history.list(bob, "v")] == ["new", None]
    assert (await variables.get(bob, "v")).version == 2


@both
async def test_a_failed_change_keeps_no_version(variables: VariableService, at_rest: AtRest, alice: uuid.UUID) -> None:
    """VAR-4: all or nothing: a name that is taken undoes the copy of the value too."""
    await variables.create(alice, "taken", "x")
    await variables.create(alice, "v", "1")
    with pytest.raises(Exception, match="exists already"):
        await variables.update(alice, "v", name="taken", value="2")
    assert [one.version for one in await variables.history.list(alice, "v")] == [1]
    assert not [one for one in await at_rest.values() if one.earlier]


class Trail:
    """An audit log in memory, or one that is broken."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.events: list[tuple[str, dict[str, Any]]] = []

    async def record(self, kind: str, **details: Any) -> None:
        if self.broken:
            raise OSError("no audit log")
        self.events.append((kind, details))


@both
async def test_a_value_is_shown_when_asked_for_and_the_audit_log_knows(
    variables: VariableService, alice: uuid.UUID
) -> None:
    """VAR-4: without the value; and what cannot be recorded is not shown."""
    variables._audit = trail = Trail()
    made = await variables.create(alice, "v", "the secret itself")
    await variables.update(alice, "v", value="another secret")
    assert await value_of(variables, alice, "v", 1) == "the secret itself"
    ((kind, details),) = trail.events
    assert (kind, details["user_id"], details["target_id"]) == ("variable_revealed", alice, made.id)
    assert (details["version"], details["name"]) == (1, "v")
    assert "secret" not in str(trail.events)
    trail.broken = True
    with pytest.raises(OSError, match="no audit log"):
        await variables.reveal(alice, "v")


@both
async def test_values_can_be_kept_from_everybody(make_variable: MakeVariable, alice: uuid.UUID) -> None:
    """VAR-4: by a setting; flows still use them."""
    variables = await make_variable(reveal=False)
    await variables.create(alice, "v", "secret")
    with pytest.raises(RevealDisabledError):
        await variables.reveal(alice, "v")
    assert (await variables.resolve(alice, "v")).get_secret_value() == "secret"


async def test_in_a_container_the_audit_log_of_the_auth_service_has_it(
    container: ApplicationContainer, user: User
) -> None:
    """VAR-4, AUTH-8"""
    variables = container.variable()
    made = await variables.create(user.id, "v", "secret")
    await variables.reveal(user.id, "v")
    await variables.rotate()
    async with container.database().session() as session:
        rows = (await session.exec(sa.select(AuditEventRow))).scalars().all()
    events = {row.kind: row for row in rows if row.kind.startswith("variable")}
    assert set(events) == {"variable_revealed", "variable_keys_rotated"}
    revealed = events["variable_revealed"]
    assert (revealed.user_id, revealed.actor_id, revealed.target_id) == (user.id, user.id, str(made.id))
    assert "secret" not in str(revealed.details)


async def test_a_rotation_keeps_what_a_rename_did_not_touch(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: a change of the name alone writes no ciphertext, which may have been sealed anew meanwhile."""
    made = await variables.create(alice, "v", "1")
    old = await variables._editor.stored(alice, "v")
    done = await variables.rotate()
    assert await variables._backend.replace(structs.replace(old, name="w", version=2), old=old, history=10)
    async with database.session() as session:
        row = (await session.exec(sa.select(VariableRow).where(VariableRow.id == made.id))).scalar_one()
    assert row.key_id == done.key_id
