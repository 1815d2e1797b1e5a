"""Keys are rotated while everything goes on (VAR-2)."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
import time_machine
from sqlmodel import select
from tests.unit.variable.at_rest import AtRest, both

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import SchemaError
from bedplate.services.database.models import EncryptionKeyRow, VariableRow, utc_now
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import Rotation, UndecryptableVariableError, VariableService, WrongKeyError

MakeVariable = Callable[..., Awaitable[VariableService]]

FIRST = "a-secret-key-of-the-tests-0123456789abcdef"
SECOND = "another-secret-key-of-the-tests-0123456789"


async def value_of(variables: VariableService, user: uuid.UUID, name: str) -> str:
    return (await variables.resolve(user, name)).get_secret_value()


async def key_ids(at_rest: AtRest) -> set[str]:
    """The keys of all values, earlier ones included, as they say themselves."""
    values = await at_rest.values()
    assert all(one.value[1:7].hex() == one.key_id for one in values)
    return {one.key_id for one in values}


async def filled(variables: VariableService, *users: uuid.UUID, count: int = 5) -> None:
    for user in users:
        for number in range(count):
            await variables.create(user, f"v{number}", f"first {user} {number}")
        await variables.update(user, "v0", value=f"second {user}")


@both
async def test_every_value_gets_a_new_key_in_small_transactions(
    make_variable: MakeVariable, at_rest: AtRest, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-2: of all users, earlier values too; nothing but the ciphertext changes."""
    variables = await make_variable(rotation_batch=2)
    await filled(variables, alice, bob)
    before = [*await variables.list(alice), *await variables.list(bob)]
    progress: list[Rotation] = []
    done = await variables.rotate(progress.append)
    assert (done.resealed, done.failed, done.left) == (12, 0, 0)
    assert len(progress) >= 6
    assert await key_ids(at_rest) == {done.key_id}
    assert done.key_id != variables._keyring.key_id
    assert [*await variables.list(alice), *await variables.list(bob)] == before
    assert await value_of(variables, alice, "v0") == f"second {alice}"
    assert (await variables.reveal(alice, "v0", version=1)).value.get_secret_value() == f"first {alice} 0"
    await variables.create(alice, "new", "sealed with the new key")
    assert await key_ids(at_rest) == {done.key_id}
    again = await variables.rotate()
    assert again.key_id != done.key_id
    assert again.resealed == 13
    assert await value_of(variables, bob, "v4") == f"first {bob} 4"


@both
async def test_replicas_learn_of_a_new_key_by_themselves(
    make_variable: MakeVariable, at_rest: AtRest, alice: uuid.UUID
) -> None:
    """VAR-2: those that run read what is sealed with it, and seal with it what they write."""
    one, other, third = await make_variable(), await make_variable(), await make_variable()
    await filled(one, alice)
    for replica in (other, third):  # a key that is not known is looked for once in a second
        replica._ready().keys._loaded -= 10
    done = await one.rotate()
    assert await value_of(other, alice, "v1") == f"first {alice} 1"
    await third.create(alice, "new", "by a replica that has read nothing since")
    await third.update(alice, "v1", value="changed")
    assert await key_ids(at_rest) == {done.key_id}
    assert await value_of(other, alice, "new") == "by a replica that has read nothing since"


@both
async def test_users_go_on_while_keys_are_rotated(
    make_variable: MakeVariable, at_rest: AtRest, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-2: no change is lost, no read fails, and every value ends with the new key."""
    one, other = await make_variable(rotation_batch=1), await make_variable()
    await filled(one, alice, bob, count=20)
    other._ready().keys._loaded -= 10
    rotating = asyncio.create_task(one.rotate())
    for number in range(20):
        await other.update(bob, f"v{number}", value=f"changed {number}")
        await other.update(alice, f"v{number}", name=f"renamed{number}")
        assert await value_of(other, alice, f"renamed{number}")
    await rotating
    await one.rotate()
    assert len(await key_ids(at_rest)) == 1
    assert [await value_of(one, bob, f"v{number}") for number in range(20)] == [f"changed {n}" for n in range(20)]
    assert await value_of(one, alice, "renamed0") == f"second {alice}"
    assert await value_of(one, alice, "renamed9") == f"first {alice} 9"


@both
async def test_a_rotation_that_was_broken_off_is_finished_by_the_next(
    make_variable: MakeVariable, at_rest: AtRest, alice: uuid.UUID
) -> None:
    """VAR-2: with the same key; what was done stays done, and in between everything can be read."""
    variables = await make_variable(rotation_batch=1)
    await filled(variables, alice, count=4)

    def interrupt(progress: Rotation) -> None:
        if progress.resealed == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await variables.rotate(interrupt)
    assert len(await key_ids(at_rest)) == 2
    again = await make_variable()
    assert [await value_of(again, alice, f"v{n}") for n in range(1, 4)] == [f"first {alice} {n}" for n in range(1, 4)]
    done = await again.rotate()
    assert done.resealed == 3
    assert await key_ids(at_rest) == {done.key_id}


@both
async def test_two_rotations_at_once_end_with_one_key(
    make_variable: MakeVariable, at_rest: AtRest, alice: uuid.UUID
) -> None:
    """VAR-2"""
    one, other = await make_variable(rotation_batch=1), await make_variable(rotation_batch=1)
    await filled(one, alice)
    await asyncio.gather(one.rotate(), other.rotate())
    last = await one.rotate()
    assert await key_ids(at_rest) == {last.key_id}
    other._ready().keys._loaded -= 10
    assert await value_of(other, alice, "v2") == f"first {alice} 2"


async def test_what_cannot_be_opened_is_counted_and_left(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: it is neither lost nor does it keep the rest from going on."""
    variables = await make_variable(rotation_batch=1)
    await filled(variables, alice, count=3)
    async with database.transaction() as session:
        await session.exec(sa.update(VariableRow).where(VariableRow.name == "v1").values(value=b"damaged beyond help"))
    done = await variables.rotate()
    assert (done.resealed, done.failed, done.left) == (3, 1, 1)
    assert await value_of(variables, alice, "v2") == f"first {alice} 2"
    with pytest.raises(UndecryptableVariableError):
        await variables.resolve(alice, "v1")
    assert (await variables.rotate()).resealed == 0


@both
async def test_the_age_of_the_oldest_key_is_a_gauge(
    make_variable: MakeVariable, telemetry: TelemetryService, alice: uuid.UUID
) -> None:
    """VAR-2: it falls when a rotation is done; health, which is looked at all the time, keeps it right."""

    def figure(name: str) -> float:
        lines = [line for line in telemetry.exposition().decode().splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].split()[1])

    with time_machine.travel(utc_now().timestamp() - 3 * 24 * 3600, tick=True):
        variables = await make_variable()
        await filled(variables, alice, count=3)
    variables._ready().keys._counted -= 60  # values are counted twice in a minute
    await variables.health()
    assert figure("bedplate_variable_oldest_key_seconds") >= 3 * 24 * 3600
    assert figure("bedplate_variable_stale") == 0
    await variables._ready().keys.make()
    assert figure("bedplate_variable_stale") == 4
    await variables.rotate()
    assert figure("bedplate_variable_oldest_key_seconds") < 3600
    assert figure("bedplate_variable_stale") == 0


async def test_keys_that_nothing_needs_are_forgotten_after_a_while(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: not at once, since a replica may be about to store a value with one."""

    async def stored() -> set[str]:
        async with database.session() as session:
            return {row.key_id for row in (await session.exec(select(EncryptionKeyRow))).all()}

    variables = await make_variable()
    await filled(variables, alice)
    first = await variables.rotate()
    assert len(await stored()) == 2
    with time_machine.travel(utc_now().timestamp() + 2 * 3600, tick=True):
        assert await variables._ready().keys.forget_unused(3600) == 1
    assert await stored() == {first.key_id}
    assert await value_of(await make_variable(), alice, "v1") == f"first {alice} 1"


@both
async def test_the_secret_key_can_be_changed(make_variable: MakeVariable, alice: uuid.UUID) -> None:
    """VAR-2: with the old one beside it until a rotation is done; after that the old one opens nothing any more."""
    first = await make_variable()
    await filled(first, alice)
    with pytest.raises(WrongKeyError, match="BEDPLATE_PREVIOUS_SECRET_KEYS"):
        await make_variable(secret_key=SECOND)
    both = await make_variable(secret_key=SECOND, previous_secret_keys=[FIRST])
    assert await value_of(both, alice, "v0") == f"second {alice}"
    await both.create(alice, "new", "sealed with the new one")
    # A replica that has not been started anew yet reads it if it was told of the new key before.
    old = await make_variable(secret_key=FIRST, previous_secret_keys=[SECOND])
    assert await value_of(old, alice, "new") == "sealed with the new one"
    done = await both.rotate()
    assert done.left == 0
    second = await make_variable(secret_key=SECOND)
    assert await value_of(second, alice, "v0") == f"second {alice}"
    assert (await second.reveal(alice, "v0", version=1)).value.get_secret_value() == f"first {alice} 0"
    with pytest.raises(WrongKeyError):
        await make_variable(secret_key=FIRST)


@both
async def test_keys_of_their_own_are_sealed_anew_with_the_secret_key_of_now(
    make_variable: MakeVariable, alice: uuid.UUID
) -> None:
    """VAR-2: a rotation before the change of the secret key does not tie the values to the old one."""
    first = await make_variable()
    await filled(first, alice)
    await first.rotate()
    both = await make_variable(secret_key=SECOND, previous_secret_keys=[FIRST])
    assert await value_of(both, alice, "v1") == f"first {alice} 1"
    await both.rotate()
    second = await make_variable(secret_key=SECOND)
    assert await value_of(second, alice, "v1") == f"first {alice} 1"
    with pytest.raises(WrongKeyError):
        await make_variable(secret_key=FIRST)


async def test_a_damaged_key_is_a_named_error(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: at start, before anything is read with it."""
    first = await make_variable()
    await filled(first, alice)
    done = await first.rotate()
    async with database.transaction() as session:
        row = (await session.exec(select(EncryptionKeyRow).where(EncryptionKeyRow.key_id == done.key_id))).one()
        row.wrapped = (row.wrapped or b"")[:-1] + b"x"
    with pytest.raises(WrongKeyError, match=f"the stored key {done.key_id} is damaged"):
        await make_variable()


async def test_lost_keys_are_a_named_error(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: a database that was restored without its table of keys."""
    first = await make_variable()
    await filled(first, alice)
    done = await first.rotate()
    async with database.transaction() as session:
        await session.exec(sa.delete(EncryptionKeyRow))
    with pytest.raises(WrongKeyError, match=done.key_id):
        await make_variable()


async def test_older_releases_are_not_given_what_they_cannot_read(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """DB-4, VAR-2: the schema goes back only while no key of its own was made."""
    variables = await make_variable()
    await filled(variables, alice)
    await database.migrations.downgrade("0013")
    await database.migrations.upgrade()
    await variables.rotate()
    with pytest.raises(SchemaError, match="keys of their own"):
        await database.migrations.downgrade("0013")
    assert await value_of(variables, alice, "v1") == f"first {alice} 1"
