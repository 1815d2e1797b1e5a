"""SET-8: what the doctor says of Redis servers: each by service, setting and fix, and no password."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.checks import Finding, Severity
from bedplate.services.engines import redis_checks
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_errors import RedisSettingError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.postgres import free_port
from bedplate.wiring.testing.servers.valkey import PASSWORD, ValkeyServer

pytestmark = pytest.mark.xdist_group("valkey")

Examine = Callable[..., Awaitable[list[Finding]]]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """What the doctor finds of Redis with these settings."""

    async def found(**settings: Any) -> list[Finding]:
        service = SettingsService(profile="test", data_dir=tmp_path, **settings)
        container = ApplicationContainer(settings=Singleton(lambda: service))
        findings = [one for one in await container.examine() if one.check.startswith("redis.")]
        assert PASSWORD not in str(findings)
        assert "wrong-password" not in str(findings)
        return findings

    return found


async def configure(url: str, **values: object) -> None:
    async with Redis.from_url(url) as client:
        for name, value in values.items():
            await client.config_set(name.replace("_", "-"), str(value))


@pytest.fixture
def server(tmp_path: Path) -> ValkeyServer:
    return ValkeyServer(tmp_path)


async def test_a_server_that_cannot_be_used_is_named_for_each_service(
    valkey_url: str, examine: Examine, tmp_path: Path
) -> None:
    """SET-8: wrong password, wrong host, TLS where there is none, no URL at all."""
    wrong = valkey_url.replace(PASSWORD, "wrong-password")
    cases = (
        ({"redis": {"url": wrong}}, "refuses the user, the password", "BEDPLATE_REDIS__URL"),
        ({"redis": {"url": "redis://127.0.0.1:1/0"}}, "cannot be reached", "BEDPLATE_REDIS__URL"),
        (
            {"redis": {"url": valkey_url.replace("redis:", "rediss:"), "command_timeout": 0.3, "connect_timeout": 0.3}},
            "TLS",
            "BEDPLATE_REDIS",
        ),
        ({}, "needs the URL", "redis://user:password@host:6379/0"),
    )
    for settings, what, fix in cases:
        found = await examine(cache={"backend": "two_tier"}, job_queue={"backend": "redis"}, **settings)
        unreachable = [one for one in found if one.check == "redis.unreachable"]
        assert [one.what.split(":")[0] for one in unreachable] == ["cache", "job_queue"], what
        assert all(one.severity is Severity.ERROR and what in one.what and fix in one.fix for one in unreachable)


async def test_a_service_with_a_url_of_its_own_is_told_of_that(valkey_url: str, examine: Examine) -> None:
    own = {"backend": "redis", "redis_url": "redis://:wrong-password@127.0.0.1:1/0"}
    (found,) = [one for one in await examine(cache=own, redis={"url": valkey_url}) if one.check == "redis.unreachable"]
    assert found.what.startswith("cache: ")
    assert "BEDPLATE_CACHE__REDIS_URL" in found.fix


async def test_a_server_that_evicts_may_have_nothing_but_the_cache(server: ValkeyServer, examine: Examine) -> None:
    """SET-8: jobs, state, rooms and locks would be lost without a word; also in another database of the server."""
    cache = {"cache": {"backend": "redis"}}
    kept: tuple[tuple[str, dict[str, Any]], ...] = (
        ("job_queue", {"job_queue": {"backend": "redis"}}),
        ("auth", {"auth": {"throttle": "redis"}}),
        ("state", {"state": {"backend": "redis", "redis_url": server.url.replace("/0", "/1")}}),
    )
    with server:
        await configure(server.url, maxmemory="100mb", maxmemory_policy="allkeys-lru")
        assert await examine(redis={"url": server.url}, **cache) == []
        for name, more in kept:
            (found,) = await examine(redis={"url": server.url}, **cache, **more)
            assert (found.check, found.severity) == ("redis.evicts", Severity.ERROR)
            assert "allkeys-lru" in found.what
            assert f"has what {name} must not lose" in found.what
            assert "maxmemory-policy noeviction" in found.fix
            assert "BEDPLATE_CACHE__REDIS_URL" in found.fix
        await configure(server.url, maxmemory_policy="noeviction")
        for _, more in kept:
            assert await examine(redis={"url": server.url}, **cache, **more) == []


async def test_the_memory_of_a_cache_is_bounded(server: ValkeyServer, examine: Examine) -> None:
    """SET-8: without an end it takes the machine's; without eviction it ends in refused writes."""
    with server:
        for limit, policy, what in ((0, "noeviction", "nothing bounds"), ("100mb", "noeviction", "takes no more")):
            await configure(server.url, maxmemory=limit, maxmemory_policy=policy)
            (found,) = await examine(redis={"url": server.url}, cache={"backend": "redis"})
            assert (found.check, found.severity) == ("redis.evicts", Severity.WARNING)
            assert what in found.what
            assert "allkeys-lru" in found.fix


async def test_a_password_goes_to_another_machine_over_tls_only(examine: Examine) -> None:
    def plain(findings: list[Finding]) -> list[Finding]:
        return [one for one in findings if one.check == "redis.plaintext"]

    fast = {"connect_timeout": 0.2, "command_timeout": 0.2}
    settings = {"cache": {"backend": "redis"}}
    (found,) = plain(await examine(redis={"url": f"redis://:{PASSWORD}@0.0.0.0:6379/0", **fast}, **settings))
    assert "BEDPLATE_REDIS__URL with rediss://" in found.fix
    for url in (f"rediss://:{PASSWORD}@0.0.0.0:6379/0", f"redis://:{PASSWORD}@127.0.0.1:1/0", "redis://0.0.0.0/0"):
        assert plain(await examine(redis={"url": url, **fast}, **settings)) == []


async def test_whoever_uses_no_redis_hears_nothing_of_it(examine: Examine) -> None:
    assert await examine() == []


@pytest.mark.parametrize(("apart", "said"), [(0.0, ""), (20.0, "20 s ahead of"), (-20.0, "20 s behind")])
async def test_a_clock_that_differs_is_found(
    valkey_url: str, examine: Examine, monkeypatch: pytest.MonkeyPatch, apart: float, said: str
) -> None:
    """SET-8, JOB-3: leases are compared with the clock of whoever looks at them."""
    now = time.time
    monkeypatch.setattr(redis_checks, "time", SimpleNamespace(time=lambda: now() + apart))
    found = await examine(job_queue={"backend": "redis"}, cache={"backend": "redis"}, redis={"url": valkey_url})
    assert [said in one.what for one in found if one.check == "redis.clock-differs"] == ([True] if said else [])


async def test_a_redis_cluster_is_named(tmp_path: Path, examine: Examine) -> None:
    """SET-8, CACHE-6: at the start, and where something fails because of it: not as a server that is away."""
    # Without a port of its own, that of the cluster would be 10,000 above the server's, where there may be none.
    with ValkeyServer(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        (found,) = await examine(job_queue={"backend": "redis"}, redis={"url": server.url})
        assert (found.check, found.severity) == ("redis.cluster", Severity.ERROR)
        engine = RedisEngine(SettingsService(profile="test", data_dir=tmp_path, redis={"url": server.url}))
        await engine.start()
        client = engine.client(ServiceType.CACHE)
        for command in (("SET", "a", "1"), ("MGET", "a", "b")):
            with pytest.raises(RedisSettingError, match="Redis Cluster"), engine.typed_errors(ServiceType.CACHE):
                await client.execute_command(*command)
        await engine.stop()
