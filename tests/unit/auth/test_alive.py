"""SOCK-2, AUTH-3: callers that were verified once, asked after again all at once."""

import uuid
from datetime import timedelta

import time_machine
from msgspec import structs

from bedplate.services.auth import AuthService, Credentials, TokenPair, UserChanges
from bedplate.services.database.models import utc_now


async def test_only_those_that_would_be_verified_again_are_alive(auth: AuthService, alice: TokenPair) -> None:
    cookie = await auth.open_cookie_session("alice", "wonderland")
    key = await auth.api_keys.create(alice.user.id, "laptop")
    other = await auth.login("alice", "wonderland")
    callers = [
        await auth.verify(Credentials(bearer=alice.access_token)),
        await auth.verify(Credentials(bearer=other.access_token)),
        await auth.verify(Credentials(cookie=cookie.value.get_secret_value())),
        await auth.verify(Credentials(api_key=key.secret.get_secret_value())),
    ]
    ids = [caller.credential_id for caller in callers]
    assert await auth.alive(callers) == set(ids)
    await auth.logout(other.access_token)
    assert await auth.alive(callers) == {ids[0], ids[2], ids[3]}
    await auth.api_keys.update(alice.user.id, key.key.id, is_active=False)
    assert await auth.alive(callers) == {ids[0], ids[2]}
    await auth.logout(cookie.value.get_secret_value())
    assert await auth.alive(callers) == {ids[0]}
    assert await auth.alive([]) == frozenset()


async def test_a_deactivated_user_has_nothing_that_is_alive(auth: AuthService, alice: TokenPair) -> None:
    key = await auth.api_keys.create(alice.user.id, "laptop")
    callers = [
        await auth.verify(Credentials(bearer=alice.access_token)),
        await auth.verify(Credentials(api_key=key.secret.get_secret_value())),
    ]
    superuser = await auth.create_superuser("root", "a password of root")
    root = structs.replace(callers[0], user=superuser)
    await auth.users.update(root, alice.user.id, UserChanges(is_active=False))
    assert await auth.alive(callers) == frozenset()


async def test_what_has_expired_is_not_alive(auth: AuthService, alice: TokenPair) -> None:
    with time_machine.travel("2030-01-01", tick=False) as clock:
        session = await auth.login("alice", "wonderland")
        key = await auth.api_keys.create(alice.user.id, "short", expires_at=utc_now() + timedelta(hours=1))
        callers = [
            await auth.verify(Credentials(bearer=session.access_token)),
            await auth.verify(Credentials(api_key=key.secret.get_secret_value())),
        ]
        assert callers[0].expires_at == utc_now() + timedelta(seconds=session.access_ttl)
        assert callers[1].expires_at == utc_now() + timedelta(hours=1)
        clock.shift(3601)
        assert await auth.alive(callers) == {callers[0].credential_id}
        clock.shift(400 * 24 * 3600)
        assert await auth.alive(callers) == frozenset()


async def test_many_are_asked_after_at_once(auth: AuthService, alice: TokenPair) -> None:
    """More than one statement can name."""
    caller = await auth.verify(Credentials(bearer=alice.access_token))
    strangers = [structs.replace(caller, session_id=uuid.uuid4()) for _ in range(1_200)]
    assert await auth.alive([*strangers[:600], caller, *strangers[600:]]) == {caller.session_id}


async def test_being_asked_after_is_no_use_of_a_key(auth: AuthService, alice: TokenPair) -> None:
    key = await auth.api_keys.create(alice.user.id, "laptop")
    caller = await auth.verify(Credentials(api_key=key.secret.get_secret_value()))
    for _ in range(3):
        await auth.alive([caller])
    [listed] = await auth.api_keys.list(alice.user.id)
    assert listed.total_uses == 1
