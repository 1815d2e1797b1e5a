"""AUTH-5: guessing passwords is slowed down, by account and by address, and tells nothing of who exists."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import time_machine

from bedplate.services.auth import AuditKind, AuthService, Client, Principal, TokenPair
from bedplate.services.auth.attempt_rate import MAX_KEYS, AttemptCounter, Rate
from bedplate.services.auth.errors import InvalidCredentialsError, LoginThrottledError
from bedplate.services.database import DatabaseService
from bedplate.wiring.testing.cancellation import ends_cancelled
from bedplate.wiring.testing.clients import PASSWORD, Clients

MakeAuth = Callable[..., Awaitable[AuthService]]
HERE, ELSEWHERE = Client(address="192.0.2.7"), Client(address="198.51.100.9")


@pytest.fixture
async def strict(make_auth: MakeAuth) -> AuthService:
    """Three wrong passwords a name, five an address."""
    auth = await make_auth(sign_up="open", login_failures_per_account=3, login_failures_per_address=5)
    await auth.users.sign_up("alice", "wonderland")
    return auth


async def guess(auth: AuthService, name: str, client: Client = HERE, password: str = "a guess") -> float:
    """Seconds that the answer asks to wait; 0 for that the password is wrong, -1 for success."""
    try:
        await auth.login(name, password, client=client)
    except InvalidCredentialsError:
        return 0
    except LoginThrottledError as error:
        return error.retry_after or 0.5
    return -1


async def test_a_name_is_locked_after_too_many_failures(strict: AuthService) -> None:
    """AUTH-5: for whoever asks from wherever, the right password included, and only for a while."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        assert [await guess(strict, "alice") for _ in range(3)] == [0, 0, 0]
        assert await guess(strict, "alice") == 60
        assert await guess(strict, "ALICE", ELSEWHERE, "wonderland") == 60
        with pytest.raises(LoginThrottledError):
            await strict.open_cookie_session("alice", "wonderland")
        clock.shift(59)
        assert await guess(strict, "alice", password="wonderland") == 1
        clock.shift(1)
        assert await guess(strict, "alice", password="wonderland") == -1


async def test_further_lockouts_last_longer(strict: AuthService) -> None:
    """AUTH-5: twice as long each, up to a bound; forgotten after a while, and after a success."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        waits = []
        for _ in range(7):
            for _ in range(3):
                await guess(strict, "alice", ELSEWHERE)
            waits.append(await guess(strict, "alice", ELSEWHERE))
            clock.shift(waits[-1])
        assert waits == [60, 120, 240, 480, 900, 900, 900]
        assert await guess(strict, "alice", password="wonderland") == -1
        assert [await guess(strict, "alice") for _ in range(4)] == [0, 0, 0, 60]
        clock.shift(24 * 3600)
        assert [await guess(strict, "alice") for _ in range(4)] == [0, 0, 0, 60]


async def test_failures_far_apart_do_not_count_together(strict: AuthService) -> None:
    """AUTH-5: and those before a success not at all."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        for _ in range(10):
            assert await guess(strict, "alice") == 0
            clock.shift(451)
        for _ in range(5):
            assert await guess(strict, "alice") == 0
            assert await guess(strict, "alice", password="wonderland") == -1
            clock.shift(60)


async def test_a_name_that_nobody_has_is_locked_just_the_same(strict: AuthService, database: DatabaseService) -> None:
    """AUTH-5: neither answers, nor waits, nor what is stored tell who exists; names are stored as keyed hashes."""
    await strict.create_superuser("waiting", "for godot")
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        answers = {}
        for number, name in enumerate(("alice", "nobody", "", "\ud800", "x" * 100_000)):
            client = Client(address=f"192.0.2.{number}")
            answers[name] = [await guess(strict, name, client) for _ in range(5)]
        assert set(map(tuple, answers.values())) == {(0, 0, 0, 60, 60)}
    async with database.session() as session:
        connection = await session.connection()
        rows = (await connection.execute(sa.text("SELECT * FROM bedplate_login_throttle"))).all()
    assert not [word for word in ("alice", "nobody", "192.0.2") if word in str(rows)]


async def test_an_address_is_locked_whatever_names_it_tries(strict: AuthService) -> None:
    """AUTH-5: spraying one password over many names; a success there does not reset it; other addresses go on."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        for number in range(4):
            assert await guess(strict, f"user {number}") == 0
        assert await guess(strict, "alice", password="wonderland") == -1
        assert await guess(strict, "user 5") == 0
        assert await guess(strict, "alice", password="wonderland") == 60
        assert await guess(strict, "alice", ELSEWHERE, "wonderland") == -1
        clock.shift(60)
        assert await guess(strict, "alice", password="wonderland") == -1


async def test_a_network_of_ipv6_is_one_address(strict: AuthService) -> None:
    """AUTH-5: whoever has one has all of it; an IPv4 address is the same in either form."""
    for number in range(5):
        assert await guess(strict, f"user {number}", Client(address=f"2001:db8::{number}")) == 0
    assert await guess(strict, "another", Client(address="2001:db8::ffff:0:1")) > 0
    assert await guess(strict, "another", Client(address="2001:db8:0:1::1")) == 0
    for number in range(5):
        await guess(strict, f"user {number}0", Client(address="::ffff:203.0.113.5" if number % 2 else "203.0.113.5"))
    assert await guess(strict, "yet another", Client(address="203.0.113.5")) > 0


async def test_a_proxy_is_not_locked_for_what_one_of_its_clients_does(strict: AuthService) -> None:
    """AUTH-5: its address says nothing; names are limited all the same, and so is whoever only pretends to be one."""
    for address in ("127.0.0.1", "10.1.2.3", "::1", "fd00::1"):
        proxy = Client(address=address, proxied=True)
        assert {await guess(strict, f"{address} {number}", proxy) for number in range(8)} == {0}
        assert await guess(strict, "alice", proxy, "wonderland") == -1
    answers = [await guess(strict, f"user {number}", Client(address="8.8.8.8", proxied=True)) for number in range(6)]
    assert answers[:5] == [0] * 5
    assert answers[5] > 0


async def test_a_restart_and_another_replica_do_not_reset_it(strict: AuthService, make_auth: MakeAuth) -> None:
    """AUTH-5: failures and lockouts are in the database."""
    limits: dict[str, Any] = {"login_failures_per_account": 3, "login_failures_per_address": 5}
    await guess(strict, "alice")
    await strict.stop()
    await strict.start()
    await guess(strict, "alice")
    replica = await make_auth(replica=True, **limits)
    assert await guess(replica, "alice") == 0
    assert await guess(strict, "alice", ELSEWHERE, "wonderland") > 0
    await strict.stop()
    await strict.start()
    assert await guess(strict, "alice", ELSEWHERE, "wonderland") > 0


async def test_of_many_guesses_at_once_no_more_than_the_limit_are_answered(strict: AuthService) -> None:
    """AUTH-5: the right one among those that were under way when the limit was reached is not let in."""
    guesses = [guess(strict, "alice", Client(address=f"192.0.2.{number}")) for number in range(30)]
    right = guess(strict, "alice", ELSEWHERE, "wonderland")
    *answers, last = await asyncio.gather(*guesses, right)
    assert answers.count(0) == 3
    assert last > 0


async def test_a_guess_cancelled_at_any_await_is_counted_whole_or_not_at_all(make_auth: MakeAuth) -> None:
    """AUTH-5, AUTH-8: whoever hangs up early gets no further guesses than by waiting; log and count agree."""
    auth = await make_auth(sign_up="open", login_failures_per_account=1000)
    user = await auth.users.sign_up("alice", "wonderland")
    actor = Principal(user=await auth.create_superuser("root", "root's password"), method="access_token")  # type: ignore[arg-type]
    for number in range(1, 200):
        if not await ends_cancelled({number}, guess(auth, "alice")):
            break
        failures = (await auth.audit.list(actor, kinds=["login_failed"], user_id=user.id, limit=1000)).events
        async with auth._database.session() as session:
            connection = await session.connection()
            query = sa.text("SELECT coalesce(max(failures), 0) FROM bedplate_login_throttle")
            assert (await connection.execute(query)).scalar() == len(failures)
    else:
        pytest.fail("it never ended by itself")
    assert await guess(auth, "alice", password="wonderland") == -1


async def test_twenty_right_logins_at_once_are_no_attack(strict: AuthService) -> None:
    """AUTH-5: only failures count for a name."""
    assert await asyncio.gather(*(guess(strict, "alice", password="wonderland") for _ in range(20))) == [-1] * 20


async def test_the_default_for_an_address_is_above_two_hundred_a_minute(auth: AuthService) -> None:
    """AUTH-5: the contract's tests log in from one address; each for a name of its own, right or wrong."""
    settings = auth._settings
    assert settings.login_failures_per_address > 200
    assert settings.login_rate_per_address > 200
    await auth.users.sign_up("bob", "a builder")
    assert {await guess(auth, "bob", HERE, "a builder") for _ in range(250)} == {-1}


async def test_one_address_cannot_log_in_without_end(make_auth: MakeAuth) -> None:
    """AUTH-5, ALL-6: the rate of all attempts is limited before anything is hashed."""
    auth = await make_auth(sign_up="open", login_rate_per_address=3)
    await auth.users.sign_up("bob", "a builder")
    assert [await guess(auth, "bob", HERE, "a builder") for _ in range(3)] == [-1] * 3
    assert 0 < await guess(auth, "bob", HERE, "a builder") <= 60
    assert await guess(auth, "bob", ELSEWHERE, "a builder") == -1
    with pytest.raises(LoginThrottledError):
        await auth.users.sign_up("carol", "a singer", client=HERE)
    await auth.users.sign_up("carol", "a singer", client=ELSEWHERE)


def test_the_memory_for_addresses_is_bounded() -> None:
    """AUTH-5, ALL-6: whoever has many of them, such as the networks of IPv6, cannot fill it."""
    counter = AttemptCounter()
    for number in range(MAX_KEYS + 100):
        counter.hit(str(number), Rate(attempts=1, period=60))
    assert len(counter) == MAX_KEYS
    assert counter.hit(str(MAX_KEYS), Rate(attempts=1, period=60))


async def test_limits_can_be_switched_off(make_auth: MakeAuth, database: DatabaseService) -> None:
    """AUTH-5: 0 is no limit, and nothing is counted then."""
    auth = await make_auth(
        sign_up="open", login_failures_per_account=0, login_failures_per_address=0, login_rate_per_address=0
    )
    assert {await guess(auth, "nobody") for _ in range(20)} == {0}
    async with database.session() as session:
        connection = await session.connection()
        assert (await connection.execute(sa.text("SELECT count(*) FROM bedplate_login_throttle"))).scalar() == 0


async def test_a_lockout_is_audited_once(strict: AuthService) -> None:
    """AUTH-5, AUTH-8: with account and address, not each attempt during it."""
    superuser = await strict.create_superuser("root", "root's password")
    root = Principal(user=superuser, method="access_token")  # type: ignore[arg-type]
    user = (await strict.login("alice", "wonderland")).user
    for _ in range(6):
        await guess(strict, "alice")
    events = (await strict.audit.list(root, user_id=user.id)).events
    assert [event.kind for event in events][:5] == ["locked_out", *["login_failed"] * 3, "login"]
    assert events[0].details == {"by": "account", "seconds": 60}
    assert events[0].address == HERE.address


async def test_an_operator_unlocks(strict: AuthService) -> None:
    """AUTH-5: by name, known or not."""
    for name in ("alice", "nobody"):
        for number in range(3):
            await guess(strict, name, Client(address=f"192.0.2.{number}"))
        assert await guess(strict, name, ELSEWHERE) > 0
        assert await strict.unlock(name.upper())
        assert not await strict.unlock(name)
        assert await guess(strict, name, ELSEWHERE) == 0
    root = await strict.create_superuser("root", "root's password")
    actor = Principal(user=root, method="access_token")  # type: ignore[arg-type]
    assert len((await strict.audit.list(actor, kinds=[AuditKind.UNLOCKED])).events) == 2


async def test_what_is_forgotten_is_deleted(strict: AuthService, database: DatabaseService) -> None:
    """AUTH-5, ALL-6: names that were made up do not stay for ever."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        for number in range(4):
            await guess(strict, f"user {number}")
        assert await strict._throttle.prune() == 0
        clock.shift(901)
        assert await strict._throttle.prune() == 5


async def test_sessions_go_on_while_a_name_is_locked(strict: AuthService) -> None:
    """AUTH-5: who guesses keeps nobody out who is in."""
    pair: TokenPair = await strict.login("alice", "wonderland")
    for _ in range(4):
        await guess(strict, "alice")
    again = await strict.refresh(pair.refresh_token)
    assert again.user.username == "alice"


class TestOverHttp:
    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"auth": {"login_failures_per_account": 2}}

    async def test_a_429_says_when_to_come_back(self, clients: Clients, client: httpx.AsyncClient) -> None:
        """AUTH-5: the same for a user and for nobody, with the right password and a wrong one."""
        await clients.user("alice")
        texts = set()
        for name in ("alice", "nobody"):
            for _ in range(2):
                wrong = await client.post("/api/v1/login", data={"username": name, "password": "x"})
                assert wrong.status_code == 401
            for password in ("x", PASSWORD):
                locked = await client.post("/api/v1/login", data={"username": name, "password": password})
                assert locked.status_code == 429
                assert 55 <= int(locked.headers["retry-after"]) <= 60
                assert "set-cookie" not in locked.headers
                texts.add(locked.text)
        assert len(texts) == 1
