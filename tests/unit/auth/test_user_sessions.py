"""AUTH-3: where users are logged in, and ending it from elsewhere."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import time_machine

from bedplate.services.auth import AuthService, Client, Credentials, Principal, TokenPair
from bedplate.services.auth.errors import InvalidTokenError, SessionNotFoundError, UserNotFoundError
from bedplate.wiring.testing.clients import Clients

Alive = Callable[[TokenPair], Awaitable[bool]]
Enter = Callable[[str, str], Awaitable[Principal]]
PHONE = Client(address="192.0.2.7", user_agent="A phone/1.0")


async def test_a_user_sees_where_it_is_logged_in(auth: AuthService, alice: TokenPair, enter: Enter) -> None:
    """AUTH-3: device, address, times, and which of them is the one that asks; what has ended is not shown."""
    await auth.login("alice", "wonderland", client=PHONE)
    await auth.open_cookie_session("alice", "wonderland")
    ended = await auth.login("alice", "wonderland")
    await auth.logout(ended.access_token)
    me = await auth.verify(Credentials(bearer=alice.access_token))
    browser, phone, here = await auth.sessions.list(me)
    assert (phone.address, phone.user_agent, phone.kind) == (PHONE.address, PHONE.user_agent, "token")
    assert browser.kind == "cookie"
    assert [session.current for session in (browser, phone, here)] == [False, False, True]
    assert here.id == me.session_id
    assert here.created_at <= phone.created_at < phone.expires_at
    assert {session.user_id for session in (browser, phone, here)} == {me.user.id}


async def test_an_expired_session_is_not_shown(auth: AuthService, alice: TokenPair, enter: Enter) -> None:
    """AUTH-3"""
    with time_machine.travel("2030-01-01", tick=False) as clock:
        await auth.login("alice", "wonderland")
        clock.shift(8 * 24 * 3600)
        me = await enter("alice", "wonderland")
        assert [session.id for session in await auth.sessions.list(me)] == [me.session_id]


async def test_the_last_use_is_known_to_the_minute(auth: AuthService, make_auth: Any) -> None:
    """AUTH-3: by any request, not by refreshes alone; shown at once, written together, seen by other replicas."""
    await auth.users.sign_up("bob", "a builder")
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        pair = await auth.login("bob", "a builder")
        cookie = (await auth.open_cookie_session("bob", "a builder")).value.get_secret_value()
        clock.shift(59)
        me = await auth.verify(Credentials(bearer=pair.access_token))
        assert {session.last_used_at.timestamp() for session in await auth.sessions.list(me)} == {1893456000}
        clock.shift(241)
        await auth.verify(Credentials(bearer=pair.access_token))
        await auth.verify(Credentials(cookie=cookie))
        assert {session.last_used_at.timestamp() for session in await auth.sessions.list(me)} == {1893456300}
        await auth._usage.flush()
        replica: AuthService = await make_auth(replica=True)
        assert {session.last_used_at.timestamp() for session in await replica.sessions.list(me)} == {1893456300}


async def test_a_revoked_session_is_dead_at_once(auth: AuthService, alice: TokenPair, alive: Alive) -> None:
    """AUTH-3: its tokens with it, in every replica; the others go on."""
    phone = await auth.login("alice", "wonderland", client=PHONE)
    me = await auth.verify(Credentials(bearer=alice.access_token))
    [lost] = [session for session in await auth.sessions.list(me) if session.address == PHONE.address]
    await auth.sessions.revoke(me, lost.id)
    assert not await alive(phone)
    with pytest.raises(InvalidTokenError):
        await auth.refresh(phone.refresh_token)
    assert await alive(alice)
    with pytest.raises(SessionNotFoundError):
        await auth.sessions.revoke(me, lost.id)


async def test_all_others_can_be_ended_at_once(auth: AuthService, alice: TokenPair, alive: Alive) -> None:
    """AUTH-3"""
    others = [await auth.login("alice", "wonderland") for _ in range(3)]
    me = await auth.verify(Credentials(bearer=alice.access_token))
    assert await auth.sessions.revoke_others(me) == 3
    assert [await alive(pair) for pair in (*others, alice)] == [False, False, False, True]
    assert await auth.sessions.revoke_others(me) == 0


async def test_the_sessions_of_others_do_not_exist(auth: AuthService, alice: TokenPair, enter: Enter) -> None:
    """AUTH-3, ALL-4: neither by their id nor by their user."""
    theirs = await auth.verify(Credentials(bearer=alice.access_token))
    await auth.users.sign_up("bob", "a builder")
    bob = await enter("bob", "a builder")
    assert theirs.session_id is not None
    with pytest.raises(SessionNotFoundError):
        await auth.sessions.revoke(bob, theirs.session_id)
    for user_id in (theirs.user.id, uuid.uuid4()):
        with pytest.raises(UserNotFoundError):
            await auth.sessions.list(bob, user_id)
        with pytest.raises(UserNotFoundError):
            await auth.sessions.revoke(bob, theirs.session_id, user_id)
        with pytest.raises(UserNotFoundError):
            await auth.sessions.revoke_others(bob, user_id)
    assert len(await auth.sessions.list(theirs)) == 1


async def test_a_superuser_sees_and_ends_those_of_anybody(
    auth: AuthService, alice: TokenPair, root: Principal, alive: Alive
) -> None:
    """AUTH-3"""
    user_id = alice.user.id
    [session] = await auth.sessions.list(root, user_id)
    assert not session.current
    with pytest.raises(SessionNotFoundError):
        await auth.sessions.revoke(root, session.id)
    await auth.sessions.revoke(root, session.id, user_id)
    assert not await alive(alice)
    await auth.login("alice", "wonderland")
    assert await auth.sessions.revoke_others(root, user_id) == 1
    with pytest.raises(UserNotFoundError):
        await auth.sessions.list(root, uuid.uuid4())


async def test_over_http(clients: Clients) -> None:
    """AUTH-3: list, end one, end the others."""
    laptop, phone = await clients.logged_in("alice"), await clients.logged_in("alice")
    listed = (await laptop.get("/api/v1/auth/sessions", headers={"User-Agent": "laptop"})).json()
    assert listed["total_count"] == 2
    assert [session["current"] for session in listed["sessions"]] == [False, True]
    other = listed["sessions"][0]["id"]
    assert (await laptop.delete(f"/api/v1/auth/sessions/{other}")).json() == {"revoked": 1}
    assert (await laptop.delete(f"/api/v1/auth/sessions/{other}")).status_code == 404
    assert (await phone.get("/api/v1/users/whoami")).status_code == 401
    await clients.logged_in("alice")
    assert (await laptop.delete("/api/v1/auth/sessions")).json() == {"revoked": 1}
    assert (await laptop.get("/api/v1/users/whoami")).status_code == 200
    own = listed["sessions"][1]["id"]
    assert (await laptop.delete(f"/api/v1/auth/sessions/{own}")).status_code == 200
    assert (await laptop.get("/api/v1/users/whoami")).status_code == 401


async def test_the_device_is_that_of_the_login(client: httpx.AsyncClient, clients: Clients) -> None:
    """AUTH-3: address and user agent are taken from the request that logged in."""
    await clients.user("alice")
    sent = {"username": "alice", "password": "the password of every test user"}
    answer = await client.post("/api/v1/login", data=sent, headers={"User-Agent": "Laptop/2"})
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    [session] = (await client.get("/api/v1/auth/sessions", headers=bearer)).json()["sessions"]
    assert (session["user_agent"], session["address"], session["current"]) == ("Laptop/2", "127.0.0.1", True)
