"""AUTH-8: the audit log: every security event, append-only, without secrets, for superusers."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from msgspec import structs
from pydantic import SecretStr

from bedplate.services.auth import (
    AuditEvent,
    AuditKind,
    AuthService,
    Client,
    Credentials,
    Principal,
    Scope,
    TokenPair,
    UserChanges,
)
from bedplate.services.auth.errors import (
    InvalidCredentialsError,
    NotAllowedError,
    RefreshReusedError,
    UsernameTakenError,
    UserNotFoundError,
)
from bedplate.services.database import DatabaseService
from bedplate.services.errors import InvalidInputError
from bedplate.wiring.testing.clients import PASSWORD, Clients

Enter = Callable[[str, str], Awaitable[Principal]]
PHONE = Client(address="192.0.2.7", user_agent="A phone/1.0")


@pytest.fixture
def logged(auth: AuthService, root: Principal) -> Callable[..., Awaitable[list[AuditEvent]]]:
    """The events of some kinds, oldest first, but those of the superuser who looks."""

    async def logged(*kinds: str) -> list[AuditEvent]:
        events = (await auth.audit.list(root, kinds=kinds, limit=1000)).events
        return [event for event in reversed(events) if event.user_id != root.user.id]

    return logged


async def test_every_security_event_is_in_it(auth: AuthService, make_auth: Any, root: Principal, enter: Enter) -> None:
    """AUTH-8: who, to whom, to what, from where; each kind of the auth service happens here."""
    strict: AuthService = await make_auth(sign_up="open", refresh_grace=0)
    user = await strict.users.sign_up("alice", "wonderland", client=PHONE)
    with pytest.raises(InvalidCredentialsError):
        await strict.login("alice", "a guess", client=PHONE)
    pair = await strict.login("alice", "wonderland", client=PHONE)
    alice = structs.replace(await strict.verify(Credentials(bearer=pair.access_token)), client=PHONE)
    await strict.open_cookie_session("alice", "wonderland")
    [browser, _] = await strict.sessions.list(alice)
    await strict.sessions.revoke(alice, browser.id)
    key = await strict.api_keys.create(user.id, scopes=["flows:read"], maker=alice)
    await strict.api_keys.update(user.id, key.key.id, is_active=False, actor=alice)
    await strict.api_keys.delete(user.id, key.key.id, actor=alice)
    await strict.users.reset_password(alice, user.id, SecretStr("looking glass"))
    await strict.logout(pair.access_token, client=PHONE)
    again = await strict.login("alice", "looking glass")
    await strict.refresh(again.refresh_token)
    with pytest.raises(RefreshReusedError):
        await strict.refresh(again.refresh_token, client=PHONE)
    await strict.users.update(root, user.id, UserChanges(username="Alice L.", is_superuser=True))
    await strict.users.update(root, user.id, UserChanges(is_superuser=False, is_active=False))
    await strict.users.update(root, user.id, UserChanges(is_active=True))
    await strict.users.delete(root, user.id)
    await strict.rotate_keys()
    page = await strict.audit.list(root, limit=1000)
    events = [event for event in reversed(page.events) if event.user_id in (user.id, None)]
    assert [event.kind for event in events] == [
        "user_created", "login_failed", "login", "login", "session_revoked", "api_key_created", "api_key_changed",
        "api_key_deleted", "password_changed", "logout", "login", "refresh_reused", "user_renamed",
        "superuser_granted", "user_deactivated", "superuser_revoked", "user_activated", "user_deleted",
        "signing_key_rotated",
    ]  # fmt: skip
    assert set(AuditKind) - {event.kind for event in events} == {AuditKind.LOCKED_OUT, AuditKind.UNLOCKED}
    found = {event.kind: event for event in events}
    assert found["login_failed"].details == {"reason": "invalid_credentials"}
    assert (found["login_failed"].actor_id, found["login_failed"].address) == (None, PHONE.address)
    assert (found["logout"].target_id, found["logout"].user_agent) == (str(alice.session_id), PHONE.user_agent)
    assert found["api_key_created"].details == {"prefix": key.key.masked[:8], "scopes": "flows:read"}
    assert (found["api_key_created"].actor_id, found["api_key_created"].address) == (user.id, PHONE.address)
    assert found["session_revoked"].target_id == str(browser.id)
    assert found["user_deleted"].actor_id == root.user.id
    assert found["user_renamed"].details == {"from": "alice", "to": "Alice L."}


async def test_nothing_secret_is_in_it(
    auth: AuthService, alice: TokenPair, root: Principal, database: DatabaseService
) -> None:
    """AUTH-8: neither passwords, nor keys, nor tokens, nor what was typed as a name."""
    with pytest.raises(InvalidCredentialsError):
        await auth.login("a password in the wrong field", "wonderland")
    key = await auth.api_keys.create(alice.user.id)
    await auth.logout(alice.access_token)
    async with database.session() as session:
        rows = (await (await session.connection()).execute(sa.text("SELECT * FROM bedplate_audit_event"))).all()
    text = repr(rows)
    for secret in ("wonderland", "wrong field", key.secret.get_secret_value(), alice.access_token, alice.refresh_token):
        assert secret not in text
    assert len(rows) >= 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bedplate_audit_event SET kind = 'nothing'",
        "UPDATE bedplate_audit_event SET at = '2001-01-01 00:00:00.000000'",
        "DELETE FROM bedplate_audit_event",
        "INSERT OR REPLACE INTO bedplate_audit_event (id, at, kind) SELECT id, at, 'nothing' FROM bedplate_audit_event",
    ],
)
async def test_the_database_itself_refuses_to_change_it(
    auth: AuthService, alice: TokenPair, database: DatabaseService, statement: str
) -> None:
    """AUTH-8: whoever has the connection of the application cannot cover its tracks."""
    with pytest.raises(sa.exc.IntegrityError, match="append-only"):
        async with database.transaction() as session:
            await (await session.connection()).execute(sa.text(statement))


async def test_what_did_not_happen_is_not_in_it(auth: AuthService, logged: Any, root: Principal) -> None:
    """AUTH-8: an event stands and falls with the transaction that it is about."""
    await auth.users.sign_up("bob", "a builder")
    with pytest.raises(UsernameTakenError):
        await auth.users.sign_up("BOB", "another")
    with pytest.raises(UserNotFoundError):
        await auth.users.delete(root, uuid.uuid4())
    assert [event.kind for event in await logged()] == ["user_created"]


async def test_unchanged_rights_are_no_event(auth: AuthService, logged: Any, root: Principal) -> None:
    """AUTH-8: clients send back whole users."""
    user = await auth.users.sign_up("bob", "a builder")
    await auth.users.update(root, user.id, UserChanges(username="bob", is_active=True, is_superuser=False))
    assert [event.kind for event in await logged()] == ["user_created"]


async def test_filters_and_pages(auth: AuthService, root: Principal, enter: Enter) -> None:
    """AUTH-8: by kind, account, actor and time; pages neither miss nor repeat an event, whatever comes between."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        bob = await auth.users.sign_up("bob", "a builder")
        for _ in range(5):
            clock.shift(60)
            await auth.login("bob", "a builder")
            await auth.login("bob", "a builder")
        await auth.users.update(root, bob.id, UserChanges(is_active=False))

        async def ids(**filters: Any) -> list[uuid.UUID]:
            seen: list[uuid.UUID] = []
            cursor = None
            while True:
                page = await auth.audit.list(root, limit=3, cursor=cursor, **filters)
                seen += [event.id for event in page.events]
                if page.next_cursor is None:
                    return seen
                cursor = page.next_cursor
                await auth.audit.record("noise")

        assert len(await ids(kinds=["login"], user_id=bob.id)) == 10
        assert len(set(await ids(user_id=bob.id))) == 12
        assert len(await ids(actor_id=root.user.id, user_id=bob.id)) == 1
        since = datetime(2030, 1, 1, 0, 2, tzinfo=UTC)
        assert len(await ids(user_id=bob.id, since=since, until=since + timedelta(minutes=2))) == 4
        assert await ids(user_id=uuid.uuid4()) == []


async def test_only_superusers_read_it(auth: AuthService, alice: TokenPair, root: Principal) -> None:
    """AUTH-8: or their keys that are made for it."""
    me = await auth.verify(Credentials(bearer=alice.access_token))
    for refused in (me, structs.replace(root, scopes=frozenset({Scope.FLOWS_WRITE}))):
        with pytest.raises(NotAllowedError):
            await auth.audit.list(refused)
    assert (await auth.audit.list(structs.replace(root, scopes=frozenset({Scope.SYSTEM_READ})))).events


async def test_forged_cursors_and_kinds_are_refused(auth: AuthService, root: Principal) -> None:
    """AUTH-8"""
    for cursor in ("", "x", "AAAA", "MjAzMC0wMS0wMQ"):
        with pytest.raises(InvalidInputError):
            await auth.audit.list(root, cursor=cursor)
    for kind in ("", "Login", "a b", "x" * 100, "login; DROP TABLE"):
        with pytest.raises(InvalidInputError):
            await auth.audit.record(kind)


async def test_other_services_record_theirs(auth: AuthService, root: Principal, logged: Any) -> None:
    """AUTH-8: by the same method, with the caller's address; texts are cut."""
    actor = structs.replace(root, client=PHONE)
    owner = uuid.uuid4()
    await auth.audit.record(
        "variable_revealed", user_id=owner, actor=actor, target_id="x" * 1000, details={"name": "y" * 1000, "n": 1}
    )
    [event] = await logged("variable_revealed")
    assert (event.actor_id, event.address, event.user_agent) == (root.user.id, PHONE.address, PHONE.user_agent)
    assert event.target_id == "x" * 255
    assert event.details == {"name": "y" * 255, "n": 1}


async def test_old_events_go_when_their_time_is_over(make_auth: Any) -> None:
    """AUTH-8, ALL-6: by setting, never before thirty days; younger ones stay."""
    auth: AuthService = await make_auth(sign_up="open", audit_retention=40 * 24 * 3600)
    root = await auth.create_superuser("root", "root's password")
    actor = Principal(user=root, method="access_token")  # type: ignore[arg-type]
    now = datetime.now(UTC)
    for days in (0, 35, 41, 400):
        with time_machine.travel(now - timedelta(days=days), tick=False):
            await auth.audit.record("noise", target_id=str(days))
    assert await auth.audit.prune() == 2
    left = (await auth.audit.list(actor, kinds=["noise"])).events
    assert [event.target_id for event in left] == ["0", "35"]
    forever: AuthService = await make_auth(audit_retention=0)
    assert await forever.audit.prune() == 0


async def test_over_http(clients: Clients) -> None:
    """AUTH-8: for superusers, with filters and pages; failed logins of unknown names are in it without the name."""
    client = await clients.anonymous()
    await client.post("/api/v1/login", data={"username": "nobody at all", "password": PASSWORD})
    root = await clients.superuser()
    answer = (await root.get("/api/v1/auth/audit", params={"kind": ["login_failed"]})).json()
    [event] = answer["events"]
    assert (event["kind"], event["user_id"], event["address"]) == ("login_failed", None, "127.0.0.1")
    assert "nobody at all" not in str(answer)
    assert answer["next_cursor"] is None
    first = (await root.get("/api/v1/auth/audit?limit=1")).json()
    second = (await root.get("/api/v1/auth/audit", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert first["events"][0]["id"] != second["events"][0]["id"]
    assert (await root.get("/api/v1/auth/audit?cursor=x")).status_code == 400
    assert (await root.get("/api/v1/auth/audit?since=2030-01-01T00:00:00")).status_code == 422
    user = await clients.logged_in("alice")
    assert (await user.get("/api/v1/auth/audit")).status_code == 403


async def test_watchers_are_told_of_what_has_been_committed(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-3: what connections that outlive a request go by."""
    told: list[tuple[str, uuid.UUID]] = []

    def watcher(event: tuple[str, uuid.UUID]) -> None:
        told.append(event)

    end = auth.audit.watch(watcher)
    principal = await auth.verify(Credentials(bearer=alice.access_token))
    with pytest.raises(ZeroDivisionError):
        async with auth._database.transaction():
            await auth.audit.record("something", user_id=principal.user.id)
            raise ZeroDivisionError
    assert told == []
    await auth.logout(alice.access_token)
    assert told == [("logout", principal.user.id)]
    end()
    await auth.audit.record("something", user_id=principal.user.id)
    assert len(told) == 1
