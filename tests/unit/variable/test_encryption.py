"""Variables at rest: encrypted, bound to their place, and never garbage (VAR-2)."""

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import EncryptionKeyRow, VariableRow
from bedplate.services.engines.cipher import Cipher, SealError
from bedplate.services.health import HealthStatus
from bedplate.services.variable import UndecryptableVariableError, VariableService, VariableType, WrongKeyError

MakeVariable = Callable[..., Awaitable[VariableService]]

OTHER_KEY = "another-secret-key-of-the-tests-0123456789"


def files_with(folder: Path, content: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]


async def rows(database: DatabaseService) -> dict[str, VariableRow]:
    async with database.session() as session:
        return {f"{row.user_id}/{row.name}": row for row in (await session.exec(select(VariableRow))).all()}


async def overwrite(database: DatabaseService, variable_id: uuid.UUID, **values: Any) -> None:
    async with database.transaction() as session:
        await session.exec(sa.update(VariableRow).where(VariableRow.id == variable_id).values(**values))


async def test_the_key_stands_in_the_row_and_the_value_in_no_file(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID, tmp_path: Path
) -> None:
    """VAR-2: the id of the key in the ciphertext, so that keys can change; nothing in the clear beside it."""
    await variables.create(alice, "a", "plain text of the value", type=VariableType.GENERIC)
    (row,) = (await rows(database)).values()
    assert row.key_id == variables._keyring.key_id
    assert row.value[1:7].hex() == row.key_id
    assert not files_with(tmp_path, b"plain text")
    assert files_with(tmp_path, row.value)


async def test_a_row_cannot_be_given_another_type_or_owner(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-2: who can write to the database still reads no credential, and no other user's value."""
    hers = await variables.create(alice, "key", "alice's secret", type=VariableType.GENERIC)
    secret = await variables.create(alice, "secret", "a credential")
    await overwrite(database, secret.id, type="Generic")
    await overwrite(database, hers.id, user_id=bob, name="moved")
    for user, name in ((alice, "secret"), (bob, "moved")):
        for work in (variables.get(user, name), variables.resolve(user, name)):
            with pytest.raises(UndecryptableVariableError, match="belongs elsewhere"):
                await work


async def test_a_damaged_variable_can_be_deleted(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID
) -> None:
    made = await variables.create(alice, "broken", "v")
    await overwrite(database, made.id, value=b"x", type="nonsense")
    assert [shown.value for shown in await variables.list(alice)] == [None]
    await variables.delete(alice, "broken")
    assert await variables.list(alice) == []


async def test_a_wrong_key_is_found_without_its_canary(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: a database restored without its table of keys still tells which key its variables need."""
    service = await make_variable()
    await service.create(alice, "v", "kept")
    async with database.transaction() as session:
        await session.exec(sa.delete(EncryptionKeyRow))
    with pytest.raises(WrongKeyError):
        await make_variable(secret_key=OTHER_KEY)
    assert (await (await make_variable()).resolve(alice, "v")).get_secret_value() == "kept"


async def test_a_damaged_canary_is_a_named_error(make_variable: MakeVariable, database: DatabaseService) -> None:
    service = await make_variable()
    async with database.transaction() as session:
        await session.exec(sa.update(EncryptionKeyRow).values(canary=b"\x01" * 60))
    with pytest.raises(WrongKeyError, match="damaged"):
        await make_variable()
    health = await service.health()
    assert health.status is HealthStatus.DOWN
    assert "damaged" in str(health.reason)


@given(value=st.binary(max_size=200), context=st.binary(max_size=40), other=st.binary(max_size=40), flip=st.integers(0))
def test_a_sealed_value_opens_as_it_was_or_not_at_all(value: bytes, context: bytes, other: bytes, flip: int) -> None:
    """VAR-2: for its context and key, unchanged to the last bit."""
    cipher = Cipher(b"k" * 32, "0123456789ab")
    sealed = cipher.seal(value, context)
    assert cipher.open(sealed, context) == value
    changed = bytearray(sealed)
    changed[flip % len(sealed)] ^= 1 << flip % 7
    for attempt in (
        lambda: cipher.open(bytes(changed), context),
        lambda: cipher.open(sealed, context + b"x"),
        lambda: Cipher(b"l" * 32, "0123456789ab").open(sealed, context),
        lambda: Cipher(b"k" * 32, "0123456789ac").open(sealed, context),
        lambda: cipher.open(sealed, other) if other != context else cipher.open(sealed[1:], context),
    ):
        with pytest.raises(SealError):
            attempt()
