"""AUTH-3, AUTH-7: what ends a session ends it at once, for every kind of credentials it was opened with."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import time_machine
from pydantic import SecretStr
from sqlmodel import select

from bedplate.services.auth import AuthService, Client, Credentials, Method, Principal, TokenPair, UserChanges
from bedplate.services.auth.errors import (
    InactiveUserError,
    InvalidCredentialsError,
    InvalidTokenError,
    TokenExpiredError,
)
from bedplate.services.auth.tokens import TokenType
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import AuthSessionRow, UserRow
from bedplate.wiring.testing.cancellation import ends_cancelled

Alive = Callable[[TokenPair], Awaitable[bool]]
Enter = Callable[[str, str], Awaitable[Principal]]
MakeAuth = Callable[..., Awaitable[AuthService]]


async def test_logout_ends_the_session_of_any_of_its_tokens(auth: AuthService, alice: TokenPair, alive: Alive) -> None:
    """AUTH-3: by access or refresh token, at once and for both; other sessions go on."""
    other = await auth.login("alice", "wonderland")
    for value in ("access_token", "refresh_token"):
        pair = await auth.login("alice", "wonderland")
        assert await auth.logout(getattr(pair, value))
        assert not await alive(pair)
        with pytest.raises(InvalidTokenError):
            await auth.refresh(pair.refresh_token)
        assert not await auth.logout(pair.access_token, pair.refresh_token)
    assert await alive(other)


async def test_logout_takes_expired_tokens_and_passes_over_worthless_ones(auth: AuthService, alice: TokenPair) -> None:
    with time_machine.travel("2030-01-01", tick=False) as clock:
        pair = await auth.login("alice", "wonderland")
        clock.shift(2 * 3600)
        assert await auth.logout("garbage", "a.b.c", "", "0.", pair.access_token)
        with pytest.raises(InvalidTokenError):
            await auth.refresh(pair.refresh_token)


async def test_a_new_password_ends_all_other_sessions(auth: AuthService, alice: TokenPair, alive: Alive) -> None:
    """AUTH-3: the session that changed it goes on, with the tokens it has."""
    other = await auth.login("alice", "wonderland")
    cookie = await auth.open_cookie_session("alice", "wonderland")
    principal = await auth.verify(Credentials(bearer=alice.access_token))
    await auth.users.reset_password(principal, principal.user.id, SecretStr("looking glass"))
    assert await alive(alice)
    assert not await alive(other)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(other.refresh_token)
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(cookie=cookie.value.get_secret_value()))
    assert await alive(await auth.refresh(alice.refresh_token))
    with pytest.raises(InvalidCredentialsError):
        await auth.login("alice", "wonderland")
    await auth.login("alice", "looking glass")


async def test_a_password_set_by_a_superuser_ends_all_sessions(
    auth: AuthService, root: Principal, alice: TokenPair, alive: Alive
) -> None:
    """AUTH-3"""
    await auth.users.update(root, alice.user.id, UserChanges(password=SecretStr("looking glass")))
    assert not await alive(alice)
    assert (await auth.login("alice", "looking glass")).user.id == alice.user.id


async def test_deactivation_ends_all_sessions_for_good(
    auth: AuthService, root: Principal, alice: TokenPair, alive: Alive
) -> None:
    """AUTH-3: activation does not bring them back."""
    await auth.users.update(root, alice.user.id, UserChanges(is_active=False))
    assert not await alive(alice)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(alice.refresh_token)
    with pytest.raises(InactiveUserError):
        await auth.login("alice", "wonderland")
    await auth.users.update(root, alice.user.id, UserChanges(is_active=True))
    assert not await alive(alice)
    assert await alive(await auth.login("alice", "wonderland"))


async def test_an_account_switched_off_by_hand_is_refused_at_once(
    auth: AuthService, alice: TokenPair, alive: Alive, database: DatabaseService
) -> None:
    """AUTH-3: by an operator in the database, whose sessions nobody revoked."""
    async with database.transaction() as session:
        row = await session.get(UserRow, alice.user.id)
        assert row is not None
        row.is_active = False
    assert not await alive(alice)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(alice.refresh_token)


async def test_deletion_ends_all_sessions(auth: AuthService, root: Principal, alice: TokenPair, alive: Alive) -> None:
    await auth.users.delete(root, alice.user.id)
    assert not await alive(alice)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(alice.refresh_token)


async def test_another_replica_sees_the_end_at_once(make_auth: MakeAuth) -> None:
    """AUTH-3: nothing is cached."""
    first, second = await make_auth(sign_up="open"), await make_auth(replica=True)
    await first.users.sign_up("alice", "wonderland")
    pair = await first.login("alice", "wonderland")
    await second.verify(Credentials(bearer=pair.access_token))
    await first.logout(pair.access_token)
    with pytest.raises(InvalidTokenError):
        await second.verify(Credentials(bearer=pair.access_token))


async def test_a_login_under_way_does_not_survive_a_change_of_password(
    auth: AuthService, alice: TokenPair, alive: Alive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-3: whoever knew the old password and was being verified while it changed is not let in."""
    principal = await auth.verify(Credentials(bearer=alice.access_token))
    passwords = auth._logins._passwords
    verified, go_on = asyncio.Event(), asyncio.Event()
    verify = passwords.verify

    async def verify_and_wait(encoded: str | None, password: str) -> bool:
        answer = await verify(encoded, password)
        if asyncio.current_task() is late:
            verified.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(passwords, "verify", verify_and_wait)
    late = asyncio.create_task(auth.login("alice", "wonderland"))
    await verified.wait()
    await auth.users.reset_password(principal, principal.user.id, SecretStr("looking glass"))
    go_on.set()
    with pytest.raises(InvalidCredentialsError):
        await late


async def test_a_stolen_session_cannot_set_a_password_after_it_was_ended(
    auth: AuthService, root: Principal, alice: TokenPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-3: a change that was being hashed when the sessions were ended is not made."""
    thief = await auth.verify(Credentials(bearer=alice.access_token))
    passwords = auth.users._passwords
    hashing, go_on = asyncio.Event(), asyncio.Event()
    hash_it = passwords.hash

    async def hash_and_wait(password: str) -> str:
        answer = await hash_it(password)
        if asyncio.current_task() is theft:
            hashing.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(passwords, "hash", hash_and_wait)
    theft = asyncio.create_task(auth.users.reset_password(thief, thief.user.id, SecretStr("mine now")))
    await hashing.wait()
    await auth.users.update(root, thief.user.id, UserChanges(password=SecretStr("safe again")))
    go_on.set()
    with pytest.raises(InvalidTokenError):
        await theft
    await auth.login("alice", "safe again")


async def test_sessions_of_a_user_are_bounded(make_auth: MakeAuth, database: DatabaseService) -> None:
    """AUTH-3: a further login ends the oldest; expired ones are deleted."""
    auth = await make_auth(sign_up="open", sessions_per_user=3)
    await auth.users.sign_up("alice", "wonderland")
    pairs = [await auth.login("alice", "wonderland") for _ in range(5)]
    for pair in pairs[:2]:
        with pytest.raises(InvalidTokenError):
            await auth.verify(Credentials(bearer=pair.access_token))
    for pair in pairs[2:]:
        await auth.verify(Credentials(bearer=pair.access_token))
    with time_machine.travel("2060-01-01"):
        await auth.login("alice", "wonderland")
    async with database.session() as session:
        assert len((await session.exec(select(AuthSessionRow.id))).all()) == 1


async def test_a_single_session_may_be_all_that_is_allowed(make_auth: MakeAuth) -> None:
    auth = await make_auth(sign_up="open", sessions_per_user=1)
    await auth.users.sign_up("alice", "wonderland")
    first = await auth.login("alice", "wonderland")
    second = await auth.login("alice", "wonderland")
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer=first.access_token))
    await auth.verify(Credentials(bearer=second.access_token))


async def test_where_a_session_was_opened_is_kept(
    auth: AuthService, alice: TokenPair, database: DatabaseService
) -> None:
    client = Client(address="192.0.2.7", user_agent="browser " * 100)
    principal = await auth.verify(
        Credentials(bearer=(await auth.login("alice", "wonderland", client=client)).access_token)
    )
    async with database.session() as session:
        row = await session.get(AuthSessionRow, principal.session_id)
    assert row is not None
    assert row.address == "192.0.2.7"
    assert row.user_agent is not None
    assert len(row.user_agent) == 255


async def test_the_cookie_session_is_verified_and_ended_like_any_other(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-7: Bedplate's own session cookie."""
    cookie = await auth.open_cookie_session("alice", "wonderland")
    value = cookie.value.get_secret_value()
    principal = await auth.verify(Credentials(cookie=value))
    assert (principal.user.username, principal.method) == ("alice", Method.COOKIE)
    assert await auth.logout(value)
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(cookie=value))


async def test_the_cookie_is_http_only_and_lax_and_secure_by_setting(make_auth: MakeAuth) -> None:
    """AUTH-7"""
    for secure in (True, False):
        auth = await make_auth(sign_up="open", cookie_secure=secure, cookie_domain="example.org")
        if secure:
            await auth.users.sign_up("alice", "wonderland")
        cookie = await auth.open_cookie_session("alice", "wonderland")
        assert (cookie.name, cookie.http_only, cookie.same_site) == ("bedplate_session", True, "lax")
        assert (cookie.secure, cookie.domain, cookie.max_age) == (secure, "example.org", 12 * 3600)
        deleted = auth.expired_cookie()
        assert (deleted.name, deleted.max_age, deleted.domain) == (cookie.name, 0, cookie.domain)


async def test_a_cookie_lasts_no_longer_than_a_session_may(make_auth: MakeAuth) -> None:
    auth = await make_auth(sign_up="open", session_max_ttl=60)
    await auth.users.sign_up("alice", "wonderland")
    with time_machine.travel("2030-01-01", tick=False) as clock:
        cookie = await auth.open_cookie_session("alice", "wonderland")
        pair = await auth.login("alice", "wonderland")
        assert cookie.max_age == 60
        clock.shift(60)
        for credentials in (
            Credentials(cookie=cookie.value.get_secret_value()),
            Credentials(bearer=pair.access_token),
        ):
            with pytest.raises(TokenExpiredError):
                await auth.verify(credentials)


async def test_a_cookie_session_ends_in_time(auth: AuthService, alice: TokenPair) -> None:
    with time_machine.travel("2030-01-01", tick=False) as clock:
        cookie = await auth.open_cookie_session("alice", "wonderland")
        clock.shift(12 * 3600)
        with pytest.raises(TokenExpiredError):
            await auth.verify(Credentials(cookie=cookie.value.get_secret_value()))


async def test_a_cookie_cannot_be_guessed_or_made_from_a_token(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-7: knowing the session's id, or its row, opens nothing; kinds are not exchangeable."""
    cookie = (await auth.open_cookie_session("alice", "wonderland")).value.get_secret_value()
    session_id, _, secret = cookie.partition(".")
    token_session = (await auth.verify(Credentials(bearer=alice.access_token))).session_id
    assert token_session is not None
    for forged in (
        session_id,
        f"{session_id}.",
        f"{session_id}.{secret[:-1]}",
        f"{session_id}.{secret}x",
        f"{session_id}.ü",
        f"{session_id}.\ud800",
        f"{token_session.hex}.{secret}",
        alice.access_token,
        "." + secret,
        "x",
    ):
        with pytest.raises(InvalidTokenError):
            await auth.verify(Credentials(cookie=forged))
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer=cookie))
    await auth.verify(Credentials(cookie=cookie))


async def test_a_token_for_the_session_of_a_cookie_is_refused(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-7: even one that we have signed: the kinds of sessions are not exchangeable."""
    cookie = await auth.open_cookie_session("alice", "wonderland")
    principal = await auth.verify(Credentials(cookie=cookie.value.get_secret_value()))
    assert principal.session_id is not None
    token = auth._tokens.issue(
        TokenType.ACCESS, user_id=principal.user.id, session_id=principal.session_id, token_id="1"
    )
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer=token))


async def test_a_token_for_the_session_of_another_user_is_refused(
    auth: AuthService, alice: TokenPair, root: Principal
) -> None:
    """AUTH-2: sub and sid must belong together."""
    assert root.session_id is not None
    token = auth._tokens.issue(TokenType.ACCESS, user_id=alice.user.id, session_id=root.session_id, token_id="1")
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer=token))


async def test_a_stolen_row_does_not_open_a_cookie_session(
    auth: AuthService, alice: TokenPair, database: DatabaseService
) -> None:
    """AUTH-7: only the hash of the secret is stored."""
    cookie = (await auth.open_cookie_session("alice", "wonderland")).value.get_secret_value()
    session_id, _, secret = cookie.partition(".")
    principal = await auth.verify(Credentials(cookie=cookie))
    async with database.session() as session:
        row = await session.get(AuthSessionRow, principal.session_id)
    assert row is not None
    assert secret not in str(row.model_dump())
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(cookie=f"{session_id}.{row.current_jti}"))


async def test_a_login_cancelled_at_any_await_breaks_nothing(
    auth: AuthService, alice: TokenPair, alive: Alive, enter: Enter
) -> None:
    """AUTH-1, ALL-1: the next login works, whenever the one before was given up."""
    for number in range(1, 200):
        if not await ends_cancelled({number}, auth.login("alice", "wonderland")):
            break
        assert (await enter("alice", "wonderland")).user.username == "alice"
    else:
        pytest.fail("the login never ended by itself")
    assert number > 2
    assert await alive(alice)
