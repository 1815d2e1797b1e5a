"""AUTH-1: Argon2id off the event loop, bounded, hashed anew when the parameters change; bcrypt hashes upgraded."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import argon2
import bcrypt
import pytest

from bedplate.services.auth import AuthService, Credentials, TokenPair
from bedplate.services.auth.errors import InvalidCredentialsError, InvalidPasswordError
from bedplate.services.auth.passwords import Passwords
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import RateLimitedError
from bedplate.services.settings.groups.auth import AuthSettings


@pytest.fixture
def passwords(workers: Workers) -> Passwords:
    return Passwords(AuthSettings(argon2_memory_kib=16, argon2_time_cost=1, hashing_queue=64), workers)


class SlowHashing:
    """Real hashing, which says on which thread it begins and goes on when it may."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.go = threading.Event()
        self._verify = argon2.PasswordHasher.verify

    def verify(self, hasher: argon2.PasswordHasher, *args: Any) -> bool:
        self._loop.call_soon_threadsafe(self.begun.put_nowait, threading.current_thread().name)
        assert self.go.wait(30)
        return self._verify(hasher, *args)


@pytest.fixture
async def slow_hashing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowHashing]:
    slow = SlowHashing()
    monkeypatch.setattr(argon2.PasswordHasher, "verify", lambda hasher, *args: slow.verify(hasher, *args))
    yield slow
    slow.go.set()


async def stored_hash(database: DatabaseService, username: str) -> str:
    async with database.session() as session:
        row = await UserRepository(session).by_name(username)
    assert row is not None
    return row.password_hash


async def store_hash(database: DatabaseService, username: str, encoded: str) -> None:
    async with database.transaction() as session:
        row = await UserRepository(session).by_name(username)
        assert row is not None
        row.password_hash = encoded


async def test_the_hash_is_argon2id_with_the_parameters_of_the_settings(passwords: Passwords) -> None:
    """AUTH-1: RFC 9106's Argon2id; a new salt each time."""
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=16,t=1,p=1$")
    assert encoded != await passwords.hash("correct horse")
    assert await passwords.verify(encoded, "correct horse")
    assert not await passwords.verify(encoded, "correct horse ")


def test_the_default_parameters_are_those_that_owasp_recommends() -> None:
    """AUTH-1"""
    settings = AuthSettings()
    assert (settings.argon2_memory_kib, settings.argon2_time_cost, settings.argon2_parallelism) == (19_456, 2, 1)


def test_parameters_that_argon2_would_refuse_are_refused_at_start() -> None:
    with pytest.raises(ValueError, match="at least 8 times"):
        AuthSettings(argon2_memory_kib=16, argon2_parallelism=4)


async def test_the_loop_turns_while_passwords_are_hashed(
    auth: AuthService, alice: TokenPair, slow_hashing: SlowHashing
) -> None:
    """AUTH-1: twenty logins at once run on two threads of their own, and the loop is free meanwhile."""
    logins = [asyncio.create_task(auth.login("alice", "wonderland")) for _ in range(20)]
    threads = {await slow_hashing.begun.get(), await slow_hashing.begun.get()}
    assert threads == {"bedplate-hashing-0", "bedplate-hashing-1"}
    # Something else that needs the loop, threads and the database is done before the first password is.
    assert (await auth.verify(Credentials(bearer=alice.access_token))).user.username == "alice"
    assert not any(login.done() for login in logins)
    slow_hashing.go.set()
    pairs = await asyncio.gather(*logins)
    assert len({pair.refresh_token for pair in pairs}) == 20
    while not slow_hashing.begun.empty():
        assert slow_hashing.begun.get_nowait() in threads


async def test_a_login_beyond_the_queue_is_told_to_come_back(make_auth: Any, slow_hashing: SlowHashing) -> None:
    """AUTH-1: bounded; the two that are let in succeed, and so does a later one."""
    auth: AuthService = await make_auth(hashing_threads=1, hashing_queue=1, sign_up="open")
    await auth.users.sign_up("bob", "builder")
    logins = {asyncio.create_task(auth.login("bob", "builder")) for _ in range(10)}
    refused: list[BaseException | None] = []
    while len(refused) < 8:
        done, logins = await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
        refused += [task.exception() for task in done]
    assert {type(error) for error in refused} == {RateLimitedError}
    slow_hashing.go.set()
    await asyncio.gather(*logins)
    await auth.login("bob", "builder")


async def test_a_login_hashes_anew_when_the_parameters_have_changed(make_auth: Any, database: DatabaseService) -> None:
    """AUTH-1: rehash at login, without ending the user's sessions."""
    before: AuthService = await make_auth(sign_up="open", argon2_time_cost=1)
    await before.users.sign_up("bob", "builder")
    first = await before.login("bob", "builder")
    after: AuthService = await make_auth(argon2_time_cost=2)
    with pytest.raises(InvalidCredentialsError):
        await after.login("bob", "wrecker")
    assert ",t=1," in await stored_hash(database, "bob")
    await after.login("bob", "builder")
    upgraded = await stored_hash(database, "bob")
    assert ",t=2," in upgraded
    await after.login("bob", "builder")
    assert await stored_hash(database, "bob") == upgraded
    await after.refresh(first.refresh_token)


@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
async def test_a_bcrypt_hash_verifies_and_is_replaced_at_login(
    auth: AuthService, alice: object, database: DatabaseService, prefix: bytes
) -> None:
    """AUTH-1: users of the replaced system log in as before; twenty at once do not get in each other's way."""
    await store_hash(database, "alice", bcrypt.hashpw(b"looking glass", bcrypt.gensalt(4, prefix)).decode())
    with pytest.raises(InvalidCredentialsError):
        await auth.login("alice", "wonderland")
    await asyncio.gather(*(auth.login("alice", "looking glass") for _ in range(20)))
    assert (await stored_hash(database, "alice")).startswith("$argon2id$")
    await auth.login("alice", "looking glass")


async def test_a_bcrypt_hash_of_a_long_password_verifies(
    auth: AuthService, alice: object, database: DatabaseService
) -> None:
    """AUTH-1: bcrypt looked at 72 bytes only; the whole password is what counts after the upgrade."""
    long = "ä" * 50
    await store_hash(database, "alice", bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode())
    await auth.login("alice", long)
    with pytest.raises(InvalidCredentialsError):
        await auth.login("alice", long[:-1])
    await auth.login("alice", long)


@pytest.mark.parametrize("damaged", ["", "plain text", "$argon2id$v=19$m=8", "$2b$04$short", "$9$unknown"])
async def test_a_damaged_hash_lets_nobody_in(
    auth: AuthService, alice: object, database: DatabaseService, damaged: str
) -> None:
    await store_hash(database, "alice", damaged)
    for password in ("wonderland", "", damaged):
        with pytest.raises(InvalidCredentialsError):
            await auth.login("alice", password)


@pytest.mark.parametrize("password", ["pässwörd", " ", "nul\0inside", "\ud800", "🔑" * 200])
async def test_any_characters_make_a_password(passwords: Passwords, password: str) -> None:
    passwords.check(password)
    assert await passwords.verify(await passwords.hash(password), password)


def test_a_password_is_neither_empty_nor_endless(passwords: Passwords) -> None:
    """AUTH-6: the limits are settings, and the error does not repeat the password."""
    for password in ("", "x" * 1025, "ü" * 513):
        with pytest.raises(InvalidPasswordError) as refused:
            passwords.check(password)
        assert not password or password not in str(refused.value)
    passwords.check("x" * 1024)


def test_a_least_length_can_be_demanded(workers: Workers) -> None:
    strict = Passwords(AuthSettings(password_min_length=12), workers)
    with pytest.raises(InvalidPasswordError, match="at least 12"):
        strict.check("eleven char")
    strict.check("twelve chars")


async def test_an_endless_password_is_not_hashed(passwords: Passwords) -> None:
    """A login cannot be made to hash megabytes."""
    assert not await passwords.verify(await passwords.hash("x"), "x" * 10_000_000)


def test_rows_do_not_print_their_hash() -> None:
    row = UserRow(username="alice", username_key="alice", password_hash="$argon2id$secret")
    assert "secret" not in repr(row)
