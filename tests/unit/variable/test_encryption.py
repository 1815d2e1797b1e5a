"""Variables at rest: encrypted, bound to their place, and never garbage (VAR-2)."""

import asyncio
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
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import ConfigurationError, CorruptDataError
from bedplate.services.health import HealthStatus
from bedplate.services.telemetry import TelemetryService
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


@pytest.mark.parametrize("type_", list(VariableType))
async def test_every_value_is_encrypted_at_rest(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID, type_: VariableType, tmp_path: Path
) -> None:
    """VAR-2: Generic values too; the key's id stands in the ciphertext; the same value never looks the same."""
    await variables.create(alice, "a", "plain text of the value", type=type_)
    await variables.create(alice, "b", "plain text of the value", type=type_)
    stored = list((await rows(database)).values())
    for row in stored:
        assert b"plain text" not in row.value
        assert row.key_id == variables._keyring.key_id
        assert row.value[1:7].hex() == row.key_id
    assert stored[0].value != stored[1].value
    assert not files_with(tmp_path, b"plain text")
    assert files_with(tmp_path, stored[0].value)


async def test_values_cannot_be_swapped(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """VAR-2: between users, between variables of a user, or between the kinds: none opens in another's place."""
    hers = await variables.create(alice, "key", "alice's secret", type=VariableType.GENERIC)
    second = await variables.create(alice, "second", "another one", type=VariableType.GENERIC)
    secret = await variables.create(alice, "secret", "a credential")
    his = await variables.create(bob, "key", "bob's secret", type=VariableType.GENERIC)
    stored = await rows(database)
    await overwrite(database, his.id, value=stored[f"{alice}/key"].value)
    await overwrite(database, second.id, value=stored[f"{alice}/key"].value)
    await overwrite(database, secret.id, type="Generic")
    for user, name in ((bob, "key"), (alice, "second"), (alice, "secret")):
        for work in (variables.get(user, name), variables.resolve(user, name)):
            with pytest.raises(UndecryptableVariableError, match="belongs elsewhere"):
                await work
    await overwrite(database, hers.id, user_id=bob, name="moved")
    with pytest.raises(UndecryptableVariableError):
        await variables.get(bob, "moved")


@pytest.mark.parametrize(
    "damage",
    [
        lambda sealed: b"",
        lambda sealed: b"plain text as it was",
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:20],
        lambda sealed: sealed + b"x",
        lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
        lambda sealed: sealed[:10] + bytes([sealed[10] ^ 1]) + sealed[11:],
        lambda sealed: b"\x02" + sealed[1:],
        lambda sealed: sealed[:1] + b"abcdef" + sealed[7:],
    ],
)
async def test_a_damaged_value_is_an_error_never_garbage(
    variables: VariableService,
    database: DatabaseService,
    telemetry: TelemetryService,
    alice: uuid.UUID,
    damage: Any,
) -> None:
    """VAR-2: neither the ciphertext nor "" comes back; the error names the variable; the others still work."""
    made = await variables.create(alice, "broken", "in the clear", type=VariableType.GENERIC)
    await variables.create(alice, "whole", "fine", type=VariableType.GENERIC)
    sealed = (await rows(database))[f"{alice}/broken"].value
    await overwrite(database, made.id, value=damage(sealed))
    for work in (variables.get(alice, made.id), variables.resolve(alice, "broken")):
        with pytest.raises(UndecryptableVariableError, match="'broken'") as caught:
            await work
        assert isinstance(caught.value, CorruptDataError)
        assert "in the clear" not in str(caught.value)
    assert [(shown.name, shown.value) for shown in await variables.list(alice)] == [("broken", None), ("whole", "fine")]
    assert b"bedplate_variable_undecryptable_total 3.0" in telemetry.exposition()
    with pytest.raises(UndecryptableVariableError):
        await variables.update(alice, "broken", type=VariableType.CREDENTIAL)
    assert (await variables.update(alice, "broken", value="new")).value == "new"


async def test_a_damaged_variable_can_be_deleted(
    variables: VariableService, database: DatabaseService, alice: uuid.UUID
) -> None:
    made = await variables.create(alice, "broken", "v")
    await overwrite(database, made.id, value=b"x", type="nonsense")
    assert [shown.value for shown in await variables.list(alice)] == [None]
    await variables.delete(alice, "broken")
    assert await variables.list(alice) == []


async def test_a_restart_with_the_same_key_reads_everything(make_variable: MakeVariable, alice: uuid.UUID) -> None:
    """VAR-2: what was stored before a restart opens after it."""
    first = await make_variable()
    await first.create(alice, "v", "kept")
    await first.stop()
    second = await make_variable()
    assert (await second.resolve(alice, "v")).get_secret_value() == "kept"


async def test_a_wrong_key_is_a_named_error_at_start(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID
) -> None:
    """VAR-2: the start is refused with the fix, before anything is read or written with the wrong key."""
    first = await make_variable()
    await first.create(alice, "v", "kept")
    await first.stop()
    before = await rows(database)
    with pytest.raises(WrongKeyError, match="put back the secret key from the backup") as caught:
        await make_variable(secret_key=OTHER_KEY)
    assert isinstance(caught.value, ConfigurationError)
    assert first._keyring.key_id in str(caught.value)
    assert OTHER_KEY not in str(caught.value)
    assert {key: row.value for key, row in (await rows(database)).items()} == {
        key: row.value for key, row in before.items()
    }
    assert (await (await make_variable()).resolve(alice, "v")).get_secret_value() == "kept"


async def test_the_first_key_is_remembered_even_before_the_first_variable(make_variable: MakeVariable) -> None:
    await make_variable()
    await make_variable()
    with pytest.raises(WrongKeyError):
        await make_variable(secret_key=OTHER_KEY)


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


async def test_replicas_that_start_at_once_agree_on_the_key(make_variable: MakeVariable, alice: uuid.UUID) -> None:
    services = await asyncio.gather(*(make_variable() for _ in range(5)))
    await services[0].create(alice, "v", "shared")
    for service in services:
        assert (await service.resolve(alice, "v")).get_secret_value() == "shared"


async def test_credentials_are_masked_from_the_moment_they_are_known(
    make_variable: MakeVariable, alice: uuid.UUID, redactor: Redactor
) -> None:
    """TRACE-4: written or read, and for a while after they were changed or deleted."""
    variables = await make_variable(mask_retired=3600)
    await variables.create(alice, "v", "first-credential")
    await variables.create(alice, "g", "generic-value", type=VariableType.GENERIC)
    await variables.update(alice, "v", value="second-credential")
    assert "credential" not in redactor.text("first-credential second-credential")
    assert redactor.text("generic-value") == "generic-value"
    await variables.delete(alice, "v")
    assert "credential" not in redactor.text("first-credential second-credential")


async def test_credentials_are_forgotten_when_nobody_has_them_any_more(
    make_variable: MakeVariable, alice: uuid.UUID, bob: uuid.UUID, redactor: Redactor
) -> None:
    """ALL-6: what was changed or deleted does not fill the registry for ever; what another has stays masked."""
    variables = await make_variable(mask_retired=0)
    await variables.create(alice, "v", "first-credential")
    await variables.create(bob, "v", "first-credential")
    await variables.create(alice, "w", "other-credential")
    await variables.update(alice, "v", value="second-credential")
    await variables.update(alice, "w", type=VariableType.GENERIC, value="readable-now")
    assert "credential" not in redactor.text("first-credential second-credential")
    assert redactor.text("other-credential") == "other-credential"
    await variables.delete(bob, "v")
    await variables.delete(alice, "v")
    assert redactor.text("first-credential second-credential") == "first-credential second-credential"


async def test_a_restarted_process_masks_what_it_reads(
    make_variable: MakeVariable, database: DatabaseService, alice: uuid.UUID, redactor: Redactor
) -> None:
    variables = await make_variable()
    made = await variables.create(alice, "v", "kept-credential")
    redactor.retire(made.id)
    assert redactor.text("kept-credential") == "kept-credential"
    await variables.resolve(alice, "v")
    assert redactor.text("kept-credential") != "kept-credential"


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
