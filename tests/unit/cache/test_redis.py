"""The cache at a Redis server: what several replicas do to each other, and what happens without a server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.unit.cache.redis_caches import replica, replicas

from bedplate.services.cache import MISS, CacheStorageError, LoadTimeoutError, redis_sweep
from bedplate.services.engines.redis_errors import RedisSettingError, RedisUnavailableError
from bedplate.services.health import HealthStatus
from bedplate.wiring.testing.cache.loads import Gate
from bedplate.wiring.testing.cache.stale import Stubborn
from bedplate.wiring.testing.servers.valkey import PASSWORD, ValkeyServer

pytestmark = pytest.mark.xdist_group("valkey")


async def test_one_load_for_the_callers_of_several_replicas(valkey_url: str) -> None:
    """CACHE-2: those who wait elsewhere get the value, and are hits there."""
    async with replicas(3, valkey_url) as caches:
        gate = Gate({"v": 1})
        callers = [asyncio.create_task(cache.get_or_set("a", gate.load)) for cache in caches for _ in range(20)]
        await gate.entered.wait()
        await asyncio.sleep(0.05)  # time for a second load to begin, if there were one
        gate.open.set()
        assert await asyncio.gather(*callers) == [{"v": 1}] * 60
        assert gate.loads == 1
        assert sorted(cache.stats().loads for cache in caches) == [0, 0, 1]


async def test_without_leases_each_replica_loads_for_itself(valkey_url: str) -> None:
    """CACHE-2: the setting 0 turns it off."""
    async with replicas(2, valkey_url, load_lease=0) as caches:
        gate = Gate(1, loads=2)
        callers = [asyncio.create_task(cache.get_or_set("a", gate.load)) for cache in caches]
        await gate.entered.wait()
        gate.open.set()
        assert await asyncio.gather(*callers) == [1, 1]


async def test_a_load_that_is_longer_than_its_lease_stays_alone(valkey_url: str) -> None:
    """CACHE-2: the lease is renewed while the loader runs."""
    async with replicas(2, valkey_url, load_lease=0.3) as (here, there):
        gate = Gate("slow")
        first = asyncio.create_task(here.get_or_set("a", gate.load))
        await gate.entered.wait()
        second = asyncio.create_task(there.get_or_set("a", gate.load))
        await asyncio.sleep(1.0)  # three leases
        gate.open.set()
        assert await asyncio.gather(first, second) == ["slow", "slow"]
        assert gate.loads == 1


async def test_a_loader_that_hangs_holds_up_no_other_replica(valkey_url: str) -> None:
    """CACHE-5: one that was given up and heeds no cancellation gives its lease back all the same."""
    async with replicas(2, valkey_url, load_lease=1) as (here, there):
        stubborn = Stubborn()
        with pytest.raises(LoadTimeoutError):
            await here.get_or_set("a", stubborn.load, hard_timeout=0.2)
        assert stubborn.entered == 1
        async with asyncio.timeout(30):
            assert await there.get_or_set("a", Gate("good", opened=True).load) == "good"
        stubborn.open.set()


async def test_a_failed_load_is_taken_over_by_another_replica(valkey_url: str) -> None:
    """CACHE-2: at once, and not when the lease would end."""
    async with replicas(2, valkey_url, load_lease=3600) as (here, there):
        bad, good = Gate(error=ValueError("mine alone")), Gate("good", opened=True)
        first = asyncio.create_task(here.get_or_set("a", bad.load))
        await bad.entered.wait()
        second = asyncio.create_task(there.get_or_set("a", good.load))
        await asyncio.sleep(0)
        bad.open.set()
        with pytest.raises(ValueError, match="mine alone"):
            await first
        async with asyncio.timeout(30):
            assert await second == "good"


async def test_a_cancelled_load_is_taken_over_by_another_replica(valkey_url: str) -> None:
    """CACHE-2: as a failed one is."""
    async with replicas(2, valkey_url, load_lease=3600) as (here, there):
        gate = Gate()
        first = asyncio.create_task(here.get_or_set("a", gate.load))
        await gate.entered.wait()
        second = asyncio.create_task(there.get_or_set("a", Gate("good", opened=True).load))
        first.cancel()
        async with asyncio.timeout(30):
            assert await second == "good"


async def test_a_load_that_is_cancelled_while_it_asks_for_its_turn_holds_up_nobody(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CACHE-2: a lease whose answer nobody waits for any more is given back, and not kept until it ends."""
    async with replicas(2, valkey_url, load_lease=3600) as (here, there):
        leases = here._core.store.leases
        assert leases is not None
        claim, claimed, answer = leases.claim, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> Any:
            found = await claim(*args)
            claimed.set()
            await answer.wait()
            return found

        monkeypatch.setattr(leases, "claim", slow)
        first = asyncio.create_task(here.get_or_set("a", Gate("never").load))
        await claimed.wait()
        first.cancel()
        answer.set()
        async with asyncio.timeout(30):
            assert await there.get_or_set("a", Gate("good", opened=True).load) == "good"
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_value_that_cannot_be_kept_holds_up_nobody(valkey_url: str) -> None:
    """CACHE-2: replicas do not load one after another what is too large for any of them to find."""
    async with replicas(2, valkey_url, load_lease=3600, max_value_bytes=100) as (here, there):
        gate = Gate("x" * 200)
        first = asyncio.create_task(here.get_or_set("a", gate.load))
        await gate.entered.wait()
        slow = Gate("y" * 200)
        second = asyncio.create_task(there.get_or_set("a", slow.load))
        gate.open.set()
        assert await first == "x" * 200
        await slow.entered.wait()
        async with asyncio.timeout(30):
            assert await here.get_or_set("a", Gate("z" * 200, opened=True).load) == "z" * 200
        slow.open.set()
        assert await second == "y" * 200


@pytest.mark.parametrize("how", ["set", "upsert", "increment", "delete", "clear", "invalidate"])
async def test_what_another_replica_does_to_a_key_while_it_is_loaded_stays_so(valkey_url: str, how: str) -> None:
    """CACHE-2: the loaded value is given to those who wait, and not kept, whichever replica wrote meanwhile."""
    async with replicas(2, valkey_url) as (here, there):
        gate = Gate("old")
        waiting = asyncio.create_task(here.get_or_set("a", gate.load, tags=["t"]))
        await gate.entered.wait()
        match how:
            case "set" | "upsert" | "increment":
                await getattr(there, how)("a", 7)
            case "delete":
                await there.delete("a")
            case "clear":
                await there.clear()
            case _:
                await there.invalidate("t")
        if how not in ("set", "upsert", "increment"):
            async with asyncio.timeout(30):  # who asks after the change does not wait for what began before it
                assert await there.get_or_set("a", Gate(7, opened=True).load, tags=["t"]) == 7
        gate.open.set()
        assert await waiting == "old"
        assert await here.get("a") == await there.get("a") == 7
        assert here.stats().unstored == 1


async def test_updates_of_several_replicas_are_not_lost(valkey_url: str) -> None:
    """CACHE-1: increment and upsert are atomic among replicas."""
    async with replicas(3, valkey_url) as caches:
        adds = (cache.increment("n") for cache in caches for _ in range(30))
        merges = (cache.upsert("d", {f"{at}-{n}": n}) for at, cache in enumerate(caches) for n in range(30))
        await asyncio.gather(*adds, *merges)
        assert await caches[0].get("n") == 90
        assert len(await caches[1].get("d")) == 90


async def test_a_replica_counts_for_all(valkey_url: str) -> None:
    """CACHE-7: within an interval one of them walks over the keys, and the others take what it has counted."""
    async with replicas(2, valkey_url) as (here, there):
        await here.set("a", b"12345", tags=["tag"])
        await here._core.store.purge(3600)  # as the service does at intervals
        assert (here.stats().entries, here.stats().bytes) == (1, len("a") + 5 + len("tag"))
        await here.set("b", b"1")
        await there._core.store.purge(3600)
        assert there.stats().entries == 1
        assert await there.purge() == 0
        assert there.stats().entries == 2


async def test_counting_leaves_the_server_in_peace(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CACHE-7: where it takes long, nobody counts for many times as long, however short the interval."""
    monkeypatch.setattr(redis_sweep, "_REST", 1_000_000)
    async with replicas(2, valkey_url) as (here, there):
        await here.set("a", 1)
        await here._core.store.purge(0.001)
        await here.set("b", 1)
        await there._core.store.purge(0.001)
        assert there.stats().entries == 1
        await there.purge()
        assert there.stats().entries == 2


async def test_installations_with_prefixes_of_their_own_share_a_server(valkey_url: str) -> None:
    """CACHE-1: they see nothing of each other, and clear nothing of each other."""
    async with replica(valkey_url) as first, replica(valkey_url, redis={"key_prefix": "other:"}) as second:
        await first.cache.set("a", 1)
        await second.cache.set("a", 2)
        assert await second.cache.clear() == 1
        await second.cache.purge()
        assert await first.cache.get("a") == 1
        async with Redis.from_url(valkey_url) as client:
            assert {key.split(b":")[0] for key in await client.keys("*")} == {b"bedplate", b"other"}


async def test_what_a_server_has_evicted_is_gone_and_nothing_else(valkey_url: str) -> None:
    """CACHE-5: generations that were lost never come back, so that nothing that was invalidated does."""
    async with replica(valkey_url) as one, Redis.from_url(valkey_url) as client:
        await one.cache.set("a", 1, tags=["t"])
        await one.cache.set("b", 2)
        for key in await client.keys("*cache:1:t:*"):
            await client.delete(key)
        assert await one.cache.get_many("ab") == {"b": 2}
        await one.cache.set("c", 3, tags=["t"])
        assert await one.cache.get_many("abc") == {"b": 2, "c": 3}
        for key in await client.keys("*cache:1:g:*"):
            await client.delete(key)
        assert await one.cache.get_many("abc") == {}
        await one.cache.set("d", 4)
        assert await one.cache.get_many("abcd") == {"d": 4}


async def test_a_foreign_value_under_a_key_of_the_cache_is_a_miss(valkey_url: str) -> None:
    """CACHE-4: whatever somebody wrote there, nothing of it is run or answered."""
    async with replica(valkey_url) as one, Redis.from_url(valkey_url) as client:
        await one.cache.set("a", {"x": 1})
        await one.cache.set("t", {"x": 1}, tags=["t"])
        for key in await client.keys("*cache:1:v:*"):
            value = await client.get(key)
            await client.set(key, value[:13] + b"\xc1" + value[14:])
        assert await one.cache.get("a") is MISS
        for key in await client.keys("*cache:1:v:*"):
            await client.set(key, b"foreign")
        assert await one.cache.get_many("at") == {}
        await one.cache.purge()
        assert one.cache.stats().entries == 0


async def test_without_its_server_the_cache_says_so_and_values_are_loaded(tmp_path: Path) -> None:
    """CACHE-2: get_or_set answers by loading in every process; the rest raises one typed error; then all is well."""
    with ValkeyServer(tmp_path) as server:
        async with replica(server.url) as one:
            cache = one.cache
            await cache.set("a", 1)
            server.stop()
            gate = Gate("loaded", opened=True)
            answers = await asyncio.gather(*(cache.get_or_set("b", gate.load, tags=["t"]) for _ in range(20)))
            assert answers == ["loaded"] * 20
            assert gate.loads == 1
            for call in (cache.get("a"), cache.set("a", 2), cache.get_many(["a"]), cache.invalidate("t")):
                with pytest.raises(CacheStorageError, match="cannot be reached") as caught:
                    await call
                assert PASSWORD not in str(caught.value)
            health = await cache.health()
            assert health.status is HealthStatus.DOWN
            server.start()
            await cache.set("a", 3)
            assert await cache.get("a") == 3
            assert (await cache.health()).status is HealthStatus.UP


async def test_a_server_that_hangs_costs_one_timeout(tmp_path: Path) -> None:
    """CACHE-2: whoever loads meanwhile asks it once, and not again for lease, tags and value."""
    with ValkeyServer(tmp_path) as server:
        async with replica(server.url, redis={"command_timeout": 0.2}) as one, Redis.from_url(server.url) as client:
            await client.client_pause(5_000)
            begun = asyncio.get_running_loop().time()
            assert await one.cache.get_or_set("a", Gate("loaded", opened=True).load, tags=["t"]) == "loaded"
            assert asyncio.get_running_loop().time() - begun < 5
            with pytest.raises(CacheStorageError, match="in time"):
                await one.cache.get("a")


async def test_a_start_without_its_server_names_the_setting(tmp_path: Path, valkey_url: str) -> None:
    """CACHE-6: a wrong password, and a server that is not there."""
    for url, error in (
        (valkey_url.replace(PASSWORD, "a-wrong-password"), RedisSettingError),
        ("redis://127.0.0.1:1/0", RedisUnavailableError),
    ):
        with pytest.raises(error, match="BEDPLATE_REDIS__URL") as caught:
            async with replica(url):
                pass
        assert "a-wrong-password" not in str(caught.value)
        assert str(caught.value).startswith("cache:")
