"""AUTH-3: refresh tokens are single-use, in families, and their reuse ends the family."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
import time_machine

from bedplate.services.auth import AuthService, Client, Credentials, TokenPair
from bedplate.services.auth.errors import (
    InvalidTokenError,
    RefreshConflictError,
    RefreshReusedError,
    TokenExpiredError,
)
from bedplate.wiring.testing.cancellation import ends_cancelled

Alive = Callable[[TokenPair], Awaitable[bool]]
MakeAuth = Callable[..., Awaitable[AuthService]]
DAY = 24 * 3600


async def test_a_refresh_gives_a_new_pair_of_the_same_session(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-3"""
    renewed = await auth.refresh(alice.refresh_token)
    assert renewed.refresh_token != alice.refresh_token
    before = await auth.verify(Credentials(bearer=alice.access_token))
    after = await auth.verify(Credentials(bearer=renewed.access_token))
    assert before.session_id == after.session_id
    assert renewed.user == after.user


async def test_a_reused_token_ends_its_family(
    auth: AuthService, alice: TokenPair, alive: Alive, caplog: pytest.LogCaptureFixture
) -> None:
    """AUTH-3: after a replay neither the thief's nor the victim's tokens are good, and the log tells of it."""
    with time_machine.travel("2030-01-01", tick=False) as clock:
        other = await auth.login("alice", "wonderland")
        pair = await auth.login("alice", "wonderland")
        renewed = await auth.refresh(pair.refresh_token)
        clock.shift(1)
        with caplog.at_level(logging.WARNING, "bedplate.auth"), pytest.raises(RefreshReusedError):
            await auth.refresh(pair.refresh_token, client=Client(address="192.0.2.7"))
        assert not await alive(renewed)
        with pytest.raises(InvalidTokenError):
            await auth.refresh(renewed.refresh_token)
        assert await alive(other)  # another family of the same user
    assert any("used twice" in message and "192.0.2.7" in message for message in caplog.messages)
    assert not any(pair.refresh_token in message for message in caplog.messages)


async def test_a_token_two_generations_old_ends_its_family_even_within_the_grace(
    auth: AuthService, alice: TokenPair, alive: Alive
) -> None:
    """AUTH-3: the grace is for two tabs, not for a token that has been replaced twice."""
    second = await auth.refresh(alice.refresh_token)
    third = await auth.refresh(second.refresh_token)
    with pytest.raises(RefreshReusedError):
        await auth.refresh(alice.refresh_token)
    assert not await alive(third)


async def test_the_loser_of_two_tabs_gets_a_conflict_and_nothing_is_revoked(
    auth: AuthService, alice: TokenPair, alive: Alive
) -> None:
    """AUTH-3: within the grace."""
    renewed = await auth.refresh(alice.refresh_token)
    with pytest.raises(RefreshConflictError):
        await auth.refresh(alice.refresh_token)
    assert await alive(renewed)
    await auth.refresh(renewed.refresh_token)


async def test_without_a_grace_every_reuse_ends_the_family(make_auth: MakeAuth) -> None:
    """AUTH-3: settable to 0, even for requests of the same instant."""
    auth = await make_auth(sign_up="open", refresh_grace=0)
    await auth.users.sign_up("alice", "wonderland")
    with time_machine.travel("2030-01-01", tick=False):
        pair = await auth.login("alice", "wonderland")
        renewed = await auth.refresh(pair.refresh_token)
        with pytest.raises(RefreshReusedError):
            await auth.refresh(pair.refresh_token)
        with pytest.raises(InvalidTokenError):
            await auth.verify(Credentials(bearer=renewed.access_token))


async def test_of_fifty_refreshes_at_once_one_wins(auth: AuthService, alice: TokenPair, alive: Alive) -> None:
    """AUTH-3: the others conflict, and the winner's tokens are good."""
    with time_machine.travel("2030-01-01", tick=False):
        pair = await auth.login("alice", "wonderland")
        answers = await asyncio.gather(*(auth.refresh(pair.refresh_token) for _ in range(50)), return_exceptions=True)
        winners = [answer for answer in answers if isinstance(answer, TokenPair)]
        assert len(winners) == 1
        assert {type(answer) for answer in answers if answer not in winners} == {RefreshConflictError}
        assert await alive(winners[0])
        await auth.refresh(winners[0].refresh_token)


async def test_two_replicas_give_out_one_pair(make_auth: MakeAuth) -> None:
    """AUTH-3: the database decides, not a lock in the process."""
    first, second = await make_auth(sign_up="open"), await make_auth(replica=True)
    await first.users.sign_up("alice", "wonderland")
    pair = await first.login("alice", "wonderland")
    answers = await asyncio.gather(
        *(replica.refresh(pair.refresh_token) for replica in (first, second) * 5), return_exceptions=True
    )
    assert sum(isinstance(answer, TokenPair) for answer in answers) == 1


async def test_an_expired_refresh_token_is_refused(auth: AuthService, alice: TokenPair) -> None:
    with time_machine.travel("2030-01-01", tick=False) as clock:
        pair = await auth.login("alice", "wonderland")
        clock.shift(7 * DAY)
        with pytest.raises(TokenExpiredError):
            await auth.refresh(pair.refresh_token)


async def test_a_session_ends_however_often_it_was_refreshed(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-3: an absolute end, 30 days after the login."""
    with time_machine.travel("2030-01-01", tick=False) as clock:
        pair = await auth.login("alice", "wonderland")
        for _ in range(5):
            clock.shift(5 * DAY)
            pair = await auth.refresh(pair.refresh_token)
        clock.shift(5 * DAY - 2)
        access = (pair := await auth.refresh(pair.refresh_token)).access_token
        clock.shift(2)
        with pytest.raises(TokenExpiredError):
            await auth.refresh(pair.refresh_token)
        with pytest.raises(TokenExpiredError):
            await auth.verify(Credentials(bearer=access))


async def test_a_refresh_cancelled_at_any_await_leaves_one_good_token(
    auth: AuthService, alice: TokenPair, alive: Alive
) -> None:
    """AUTH-3, ALL-1: either nothing has happened, or the exchange has; never half of it."""
    for number in range(1, 200):
        pair = await auth.login("alice", "wonderland")
        cancelled = await ends_cancelled({number}, auth.refresh(pair.refresh_token))
        assert await alive(pair)
        if not cancelled:
            break
        try:
            await auth.refresh(pair.refresh_token)
        except RefreshConflictError:
            assert await alive(pair)  # committed, though nobody got the answer
    else:
        pytest.fail("the refresh never ended by itself")
    assert number > 1
