"""AUTH-4, ALL-4: API keys are hashed, masked, owned, counted, and refused when they or their user are inactive."""

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.auth import AuthService, Credentials, Method, NewApiKey, Principal, TokenPair, UserChanges
from bedplate.services.auth.errors import (
    ApiKeyLimitError,
    ApiKeyNotFoundError,
    InvalidApiKeyError,
    UserNotFoundError,
)
from bedplate.services.auth.key_format import hash_key, mask, new_key, well_formed
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import ApiKeyRow, utc_now
from bedplate.services.database.repositories.api_key import ApiKeyRepository
from bedplate.services.errors import InvalidInputError, TooLargeError, UnavailableError
from bedplate.services.telemetry import TelemetryService

MakeAuth = Callable[..., Awaitable[AuthService]]
Use = Callable[[NewApiKey], Awaitable[Principal]]


@pytest.fixture
async def key(auth: AuthService, alice: TokenPair) -> NewApiKey:
    return await auth.api_keys.create(alice.user.id, "laptop")


@pytest.fixture
def use(auth: AuthService) -> Use:
    async def use(key: NewApiKey) -> Principal:
        return await auth.verify(Credentials(api_key=key.secret.get_secret_value()))

    return use


async def stored(database: DatabaseService, key: NewApiKey) -> ApiKeyRow:
    async with database.session() as session:
        row = await ApiKeyRepository(session).by_id(key.key.user_id, key.key.id)
    assert row is not None
    return row


async def test_a_key_is_good_for_its_owner(alice: TokenPair, key: NewApiKey, use: Use) -> None:
    """AUTH-4, AUTH-7"""
    principal = await use(key)
    assert (principal.user, principal.method) == (alice.user, Method.API_KEY)
    assert (principal.api_key_id, principal.session_id) == (key.key.id, None)


def test_a_key_is_recognisable_and_unguessable() -> None:
    """AUTH-4: a prefix for scanners of leaks, 256 bits, a checksum."""
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"sk-bp-[0-9A-Za-z]{49}", key) and well_formed(key) for key in keys)


def test_a_key_with_one_wrong_character_is_told_by_its_checksum() -> None:
    """AUTH-4: without asking the database."""
    key = new_key()
    for place in range(6, len(key)):
        assert not well_formed(key[:place] + ("a" if key[place] != "a" else "b") + key[place + 1 :])
    for wrong in (key[:-1], key + "a", "sk-bp-", ""):
        assert not well_formed(wrong)


async def test_a_key_is_stored_as_a_hash_and_shown_once(
    auth: AuthService, alice: TokenPair, key: NewApiKey, database: DatabaseService, caplog: pytest.LogCaptureFixture
) -> None:
    """AUTH-4: neither the row nor a list nor a log or repr has the key."""
    secret = key.secret.get_secret_value()
    row = await stored(database, key)
    assert row.key_hash == hash_key(secret)
    assert secret[8:] not in str(row.model_dump())
    assert secret not in repr(key)
    with caplog.at_level(logging.DEBUG, "bedplate"):
        another = await auth.api_keys.create(alice.user.id)
        await auth.verify(Credentials(api_key=another.secret.get_secret_value()))
    assert another.secret.get_secret_value() not in caplog.text
    listed = await auth.api_keys.list(alice.user.id)
    assert [found.masked for found in listed] == [
        made.secret.get_secret_value()[:8] + "*" * 47 for made in (key, another)
    ]
    assert [found.name for found in listed] == ["laptop", None]


def test_a_masked_key_is_as_long_as_the_key() -> None:
    """AUTH-4: the first eight characters, then a star each, as clients expect."""
    assert mask("sk-bp-ab", 12) == "sk-bp-ab****"


@pytest.mark.parametrize("key", ["x", "sk-", "sk-bp-", "sk-" + "a" * 43, "\ud800", "é", "x" * 100_000])
async def test_an_unknown_key_is_refused(auth: AuthService, key: str) -> None:
    with pytest.raises(InvalidApiKeyError) as refused:
        await auth.verify(Credentials(api_key=key))
    assert len(key) < 4 or key not in str(refused.value)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.text(min_size=1, max_size=100))
@example(key="sk-bp-" + "é" * 49)
def test_nothing_but_a_key_is_a_key(key: str) -> None:
    assert not (key.startswith("sk-bp-") and well_formed(key))


async def test_a_key_switched_off_is_refused_at_once(auth: AuthService, key: NewApiKey, use: Use) -> None:
    """AUTH-4: a disabled key is not accepted, and can be switched on again."""
    assert not (await auth.api_keys.update(key.key.user_id, key.key.id, is_active=False)).is_active
    with pytest.raises(InvalidApiKeyError):
        await use(key)
    renamed = await auth.api_keys.update(key.key.user_id, key.key.id, name="desktop", is_active=True)
    assert (renamed.name, renamed.is_active, renamed.masked) == ("desktop", True, key.key.masked)
    await use(key)


async def test_a_key_of_a_deactivated_user_is_refused_at_once(
    auth: AuthService, root: Principal, key: NewApiKey, use: Use
) -> None:
    """AUTH-4"""
    await auth.users.update(root, key.key.user_id, UserChanges(is_active=False))
    with pytest.raises(InvalidApiKeyError):
        await use(key)
    await auth.users.delete(root, key.key.user_id)
    with pytest.raises(InvalidApiKeyError):
        await use(key)


async def test_an_expired_key_is_refused(auth: AuthService, alice: TokenPair, use: Use) -> None:
    key = await auth.api_keys.create(alice.user.id, expires_at=utc_now() + timedelta(days=1))
    await use(key)
    with time_machine.travel(utc_now() + timedelta(days=1)), pytest.raises(InvalidApiKeyError):
        await use(key)


async def test_a_deleted_key_is_refused_at_once(auth: AuthService, key: NewApiKey, use: Use) -> None:
    await use(key)
    await auth.api_keys.delete(key.key.user_id, key.key.id)
    with pytest.raises(InvalidApiKeyError):
        await use(key)
    await auth._usage.flush()


async def test_another_users_key_does_not_exist(auth: AuthService, root: Principal, key: NewApiKey, use: Use) -> None:
    """ALL-4: not even for a superuser; the answer is that for a key that there is not."""
    answers = set()
    for key_id in (key.key.id, uuid.uuid4()):
        for attempt in (
            auth.api_keys.delete(root.user.id, key_id),
            auth.api_keys.update(root.user.id, key_id, is_active=False),
        ):
            with pytest.raises(ApiKeyNotFoundError) as refused:
                await attempt
            answers.add(str(refused.value))
    assert len(answers) == 1
    assert await auth.api_keys.list(root.user.id) == []
    await use(key)


async def test_keys_and_their_names_are_bounded(make_auth: MakeAuth) -> None:
    auth = await make_auth(sign_up="open", api_keys_per_user=2)
    user = await auth.users.sign_up("alice", "wonderland")
    with pytest.raises(TooLargeError):
        await auth.api_keys.create(user.id, "x" * 256)
    with pytest.raises(InvalidInputError):
        await auth.api_keys.create(user.id, "\0")
    first = await auth.api_keys.create(user.id, "x" * 255)
    with pytest.raises(TooLargeError):
        await auth.api_keys.update(user.id, first.key.id, name="x" * 256)
    await auth.api_keys.create(user.id)
    with pytest.raises(ApiKeyLimitError, match="2 API keys"):
        await auth.api_keys.create(user.id)
    with pytest.raises(UserNotFoundError):
        await auth.api_keys.create(uuid.uuid4())


async def test_uses_are_counted_at_once_and_written_together(
    auth: AuthService, key: NewApiKey, use: Use, database: DatabaseService
) -> None:
    """AUTH-4: last used and count, in batches; a list shows them before they are written."""
    await asyncio.gather(*(use(key) for _ in range(20)))
    assert (await stored(database, key)).total_uses == 0
    (listed,) = await auth.api_keys.list(key.key.user_id)
    assert listed.total_uses == 20
    assert listed.last_used_at is not None
    await auth._usage.flush()
    row = await stored(database, key)
    assert (row.total_uses, row.last_used_at) == (20, listed.last_used_at)
    assert await auth.api_keys.list(key.key.user_id) == [listed]
    await use(key)
    await auth._usage.flush()
    assert (await stored(database, key)).total_uses == 21


async def test_uses_are_written_by_interval(
    make_auth: MakeAuth, database: DatabaseService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-4"""
    written = asyncio.Event()
    transaction = database.transaction

    @asynccontextmanager
    async def transaction_and_tell() -> AsyncIterator[AsyncSession]:
        async with transaction() as session:
            yield session
        if asyncio.current_task() is auth._usage._recorder._task:
            written.set()

    auth = await make_auth(sign_up="open", key_usage_interval=0.01)
    user = await auth.users.sign_up("alice", "wonderland")
    key = await auth.api_keys.create(user.id)
    monkeypatch.setattr(database, "transaction", transaction_and_tell)
    await auth.verify(Credentials(api_key=key.secret.get_secret_value()))
    async with asyncio.timeout(30):
        await written.wait()
    assert (await stored(database, key)).total_uses == 1


async def test_uses_are_written_at_stop(auth: AuthService, key: NewApiKey, use: Use, database: DatabaseService) -> None:
    """AUTH-4, ALL-1"""
    await use(key)
    await auth.stop()
    assert (await stored(database, key)).total_uses == 1


async def test_uses_that_cannot_be_written_wait(
    auth: AuthService, key: NewApiKey, use: Use, database: DatabaseService, caplog: pytest.LogCaptureFixture
) -> None:
    """AUTH-4: nothing is lost while the database is away, and nothing raised into a request."""
    await use(key)
    await database.stop()
    with pytest.raises(UnavailableError):
        await auth._usage.flush()
    auth._usage.used(key.key.id)
    await database.start()
    await auth.stop()
    assert (await stored(database, key)).total_uses == 2


async def test_keys_whose_use_waits_are_bounded(make_auth: MakeAuth, telemetry: TelemetryService) -> None:
    """AUTH-4: beyond the limit uses are not counted, and that is."""
    auth = await make_auth(sign_up="open", key_usage_pending=1)
    user = await auth.users.sign_up("alice", "wonderland")
    for _ in range(3):
        key = await auth.api_keys.create(user.id)
        await auth.verify(Credentials(api_key=key.secret.get_secret_value()))
    assert [found.total_uses for found in await auth.api_keys.list(user.id)] == [1, 0, 0]
    assert "bedplate_auth_key_uses_dropped_total 2.0" in telemetry.exposition().decode()


async def test_keys_survive_a_restart(auth: AuthService, key: NewApiKey, use: Use) -> None:
    await auth.stop()
    await auth.start()
    await use(key)
