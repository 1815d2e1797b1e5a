"""AUTH-5: where failed logins are counted: in the database or at a Redis server, shared by all replicas."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import time_machine
from dependency_injector.providers import Object

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import AuthService, Client, Credentials, throttle
from bedplate.services.auth.attempt_rate import Rate
from bedplate.services.auth.errors import InvalidCredentialsError, LoginThrottledError
from bedplate.services.auth.redis_throttle import RedisThrottleStore
from bedplate.services.auth.throttle_store import DatabaseThrottleStore, Limit, ThrottleStore
from bedplate.services.database import DatabaseService
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

MakeAuth = Callable[..., Awaitable[AuthService]]

LIMIT = Limit(failures=3, window=100, lockout=10, longest=35)

_AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key) - ARGV[1]
  if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
end
"""


class Pass(Protocol):
    """Lets time pass for a store."""

    async def __call__(self, seconds: float) -> None: ...


Means = tuple[ThrottleStore, Pass]


@pytest.fixture(params=["database", "redis"])
async def means(
    request: pytest.FixtureRequest, database: DatabaseService, redis_engine: RedisEngine
) -> AsyncIterator[Means]:
    if request.param == "database":
        with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:

            async def shift(seconds: float) -> None:
                clock.shift(seconds)

            yield DatabaseThrottleStore(database, clock=time.time), shift
        return

    async def age(seconds: float) -> None:
        await redis_engine.client(ServiceType.AUTH).eval(_AGE, 0, int(seconds * 1000))

    yield RedisThrottleStore(redis_engine), age


async def failures(store: ThrottleStore, number: int, key: str = "k") -> list[float | None]:
    return [await store.fail(key, LIMIT) for _ in range(number)]


async def test_the_failure_that_locks(means: Means) -> None:
    """AUTH-5: nothing is counted while it is locked, and nothing of another key."""
    store, wait = means
    assert await failures(store, 5) == [0, 0, 10, None, None]
    assert await store.locked_for(["other", "k"]) == pytest.approx(10, abs=1)
    assert await store.locked_for(["other"]) == 0
    assert await store.locked_for([]) == 0
    await wait(10.1)
    assert await store.locked_for(["k"]) == 0
    assert await failures(store, 2) == [0, 0]


async def test_each_lockout_is_longer_up_to_the_longest(means: Means) -> None:
    store, wait = means
    lockouts = []
    for _ in range(4):
        lockouts.append((await failures(store, 3))[-1])
        await wait(36)
    assert lockouts == [10, 20, 35, 35]
    await wait(101)
    assert await failures(store, 3) == [0, 0, 10]


async def test_failures_are_counted_within_a_window(means: Means) -> None:
    store, wait = means
    assert await failures(store, 2) == [0, 0]
    await wait(101)
    assert await failures(store, 3) == [0, 0, 10]


async def test_a_key_is_forgotten(means: Means) -> None:
    store, _ = means
    assert await failures(store, 3) == [0, 0, 10]
    assert await store.clear("k")
    assert not await store.clear("k")
    assert await store.locked_for(["k"]) == 0
    assert await failures(store, 3) == [0, 0, 10]


async def test_of_many_at_once_no_more_are_counted_than_the_limit(means: Means) -> None:
    """AUTH-5: each is one step."""
    store, _ = means
    counted = await asyncio.gather(*(store.fail("k", LIMIT) for _ in range(20)))
    assert sorted(one for one in counted if one is not None) == [0, 0, 10]


async def test_attempts_are_counted_within_a_period(means: Means) -> None:
    """AUTH-5: those beyond the rate wait for its end, however many they are."""
    store, wait = means
    rate = Rate(attempts=2, period=10_000)
    assert [await store.hit("k", rate) for _ in range(2)] == [0, 0]
    for _ in range(2):
        assert await store.hit("k", rate) == pytest.approx(10_000, abs=1000)
    assert await store.hit("other", rate) == 0
    await wait(10_001)
    assert [await store.hit("k", rate) for _ in range(2)] == [0, 0]


async def test_a_lockout_on_one_replica_holds_on_the_others(make_auth: MakeAuth, redis_engine: RedisEngine) -> None:
    """AUTH-5: of the server's failed logins, whichever replica took them; and so does the end of it."""
    strict: dict[str, Any] = {"sign_up": "open", "throttle": "redis", "login_failures_per_account": 3}
    here = await make_auth(redis=redis_engine, **strict)
    there = await make_auth(redis=redis_engine, replica=True, **strict)
    await here.users.sign_up("alice", "wonderland")
    for auth in (here, there, here):
        with pytest.raises(InvalidCredentialsError):
            await auth.login("alice", "a guess")
    for auth in (here, there):
        with pytest.raises(LoginThrottledError) as caught:
            await auth.login("alice", "wonderland")
        assert caught.value.retry_after == pytest.approx(60, abs=5)
    assert await there.unlock("alice")
    assert await here.login("alice", "wonderland")
    for _ in range(2):
        with pytest.raises(InvalidCredentialsError):
            await there.login("alice", "a guess")
    assert await here.login("alice", "wonderland"), "a success forgets failures"
    with pytest.raises(InvalidCredentialsError):
        await there.login("alice", "a guess")


async def test_no_more_guesses_at_once_are_answered_than_the_limit(
    make_auth: MakeAuth, redis_engine: RedisEngine
) -> None:
    """AUTH-5: over all replicas."""
    strict: dict[str, Any] = {"sign_up": "open", "throttle": "redis", "login_failures_per_account": 3}
    replicas = [await make_auth(redis=redis_engine, replica=bool(number), **strict) for number in range(2)]
    await replicas[0].users.sign_up("alice", "wonderland")
    calls = [auth.login("alice", f"guess {number}") for auth in replicas for number in range(8)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, InvalidCredentialsError) for answer in answers) == 3
    assert sum(isinstance(answer, LoginThrottledError) for answer in answers) == 13


async def test_the_rate_of_an_address_is_that_of_all_replicas(
    tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-5: of two containers over one server; a sign-up counts like a login, and another address is let in."""
    monkeypatch.setattr(throttle, "MINUTE", 3600.0)  # however slow the machine is
    limits = {"sign_up": "open", "throttle": "redis", "login_rate_per_address": 4}
    shared: dict[str, Any] = {
        "secret_key": "a-secret-key-of-the-replicas-0123456789abcdef",
        "database": {"url": f"sqlite+aiosqlite:///{tmp_path / 'shared.db'}"},
        "redis": {"url": valkey_url},
    }
    client, elsewhere = Client(address="192.0.2.7"), Client(address="198.51.100.9")
    async with AsyncExitStack() as stack:
        replicas = []
        for number in range(2):
            settings = SettingsService(profile="test", data_dir=tmp_path / str(number), auth=limits, **shared)
            container = ApplicationContainer(settings=Object(settings))
            await stack.enter_async_context(container.running(container.auth))
            replicas.append(container.auth())
        here, there = replicas
        await here.users.sign_up("alice", "wonderland", client=client)
        for auth in (there, here, there):
            assert await auth.login("alice", "wonderland", client=client)
        for auth in replicas:
            with pytest.raises(LoginThrottledError) as caught:
                await auth.login("alice", "wonderland", client=client)
            assert 0 < (caught.value.retry_after or 0) <= 3600
            with pytest.raises(LoginThrottledError):
                await auth.users.sign_up("bob", "a builder", client=client)
            assert await auth.login("alice", "wonderland", client=elsewhere)


async def test_without_the_server_nobody_guesses(make_auth: MakeAuth, tmp_path: Path) -> None:
    """AUTH-5: a login is an error that says to try again, who is logged in stays so, and health says why."""
    with ValkeyServer(tmp_path) as server:
        engine = RedisEngine(SettingsService(profile="test", redis={"url": server.url}))
        await engine.start()
        auth = await make_auth(redis=engine, sign_up="open", throttle="redis")
        await auth.users.sign_up("alice", "wonderland")
        token = (await auth.login("alice", "wonderland")).access_token
        server.stop()
        for password in ("wonderland", "a guess"):
            with pytest.raises(RedisUnavailableError):
                await auth.login("alice", password)
        assert (await auth.verify(Credentials(bearer=token))).user.username == "alice"
        health = await auth.health()
        assert health.status is HealthStatus.DEGRADED
        assert "nobody can log in" in (health.reason or "")
        server.start()
        assert await auth.login("alice", "wonderland")
        assert (await auth.health()).status is HealthStatus.UP
        await engine.stop()


@pytest.mark.parametrize("throttle", ["database", "redis"])
async def test_the_clients_are_started_if_the_setting_says_so(throttle: str, tmp_path: Path, valkey_url: str) -> None:
    """ALL-2: and not otherwise."""
    settings = SettingsService(
        profile="test", data_dir=tmp_path, redis={"url": valkey_url}, auth={"throttle": throttle, "sign_up": "open"}
    )
    container = ApplicationContainer(settings=Object(settings))
    async with container.running(container.auth):
        await container.auth().users.sign_up("alice", "wonderland")
        assert await container.auth().login("alice", "wonderland")
        assert container.redis().started is (throttle == "redis")
