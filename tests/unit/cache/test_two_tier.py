"""The cache in memory over a Redis server: what one replica does reaches the memory of the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from tests.servers.relay import Relay
from tests.unit.cache.redis_caches import replica, replicas

from bedplate.services.cache import MISS, CacheService, CacheStorageError
from bedplate.services.cache.backend import Counts, Limits
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.cache.models import Item
from bedplate.services.cache.near import NearTier
from bedplate.services.cache.news import News
from bedplate.services.cache.two_tier import TwoTierBackend
from bedplate.wiring.testing.cache import ManualClock
from bedplate.wiring.testing.servers.valkey import ValkeyServer

pytestmark = pytest.mark.xdist_group("valkey")


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for news that are on their way."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - what another connection brings is no event here
            await asyncio.sleep(0.001)


async def is_at_the_server_only(cache: CacheService, *keys: str) -> bool:
    """Whether a replica has nothing of these keys in its memory."""
    reader = cache._core.store.reader(cache.name, Counts(), _absent)
    assert reader is not None
    return [await reader(key) for key in keys] == [MISS] * len(keys)


async def all_news(cache: CacheService) -> None:
    """Return when a replica has heard of everything that was done before."""
    store = cache._core.store
    assert isinstance(store, TwoTierBackend)
    assert store._subscription is not None
    await store._subscription.barrier()


async def _absent(_key: str) -> object:
    return MISS


async def reads(client: "Redis") -> int:
    """How many commands the server has run that read values."""
    stats = await client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("get", "mget", "getrange"))


@pytest.mark.parametrize("how", ["set", "set_many", "upsert", "increment", "touch", "delete", "invalidate", "clear"])
async def test_a_change_on_one_replica_reaches_the_memory_of_another(valkey_url: str, how: str) -> None:
    """CACHE-6: whatever it was, the other one answers with it as soon as the news are there."""
    async with replicas(2, valkey_url, "two_tier") as (here, there):
        await here.set_many({"a": 1, "b": 1}, tags=["t"])
        await all_news(there)
        assert await there.get_many("ab") == {"a": 1, "b": 1}
        assert not await is_at_the_server_only(there, "a")
        match how:
            case "set" | "upsert":
                await getattr(here, how)("a", 7)
            case "set_many":
                await here.set_many({"a": 7, "c": 7})
            case "increment":
                await here.increment("a", 6)
            case "touch":
                assert await here.touch("a", 0.05)
            case "delete":
                assert await here.delete("a")
            case "invalidate":
                await here.invalidate("t")
            case _:
                assert await here.clear() == 2
        expected = 7 if how in ("set", "set_many", "upsert", "increment") else MISS

        async def arrived() -> bool:
            return bool(await there.get("a") == expected)

        await until(arrived)
        assert await there.get("b") == (MISS if how in ("invalidate", "clear") else 1)
        assert await here.get("a") == expected


async def test_what_was_read_once_asks_nothing_of_the_server(valkey_url: str) -> None:
    """CACHE-6: also where it was found by get_or_set, and what is in memory is each caller's own."""
    async with replicas(2, valkey_url, "two_tier") as (here, there), Redis.from_url(valkey_url) as client:
        await here.set("a", {"x": [1]})
        await here.set("scalar", "text")
        await all_news(there)
        for key in ("a", "scalar"):
            await there.get(key)
        before = await reads(client)
        for _ in range(50):
            first = await there.get("a")
            first["x"].append(2)
            assert await there.get("a") == {"x": [1]}
            assert await there.get("scalar") == "text"
            assert await there.get_or_set("a", _never) == {"x": [1]}
        assert await reads(client) == before
        assert there.stats().hits >= 200


async def _never() -> object:
    raise AssertionError("it is there")


async def test_memory_lives_no_longer_than_it_may(valkey_url: str) -> None:
    """CACHE-6: even if no news came, a value is asked for again after memory_ttl, or when its own time is over."""
    async with replicas(1, valkey_url, "two_tier", memory_ttl=0.05) as (cache,), Redis.from_url(valkey_url) as client:
        await cache.set("a", 1)
        assert await cache.get("a") == 1
        for key in await client.keys("*cache:1:v:*"):
            await client.delete(key)  # of which nobody is told

        async def gone() -> bool:
            return await cache.get("a") is MISS

        await until(gone)


async def test_who_cannot_hear_the_others_answers_nothing_from_memory(tmp_path: Path) -> None:
    """CACHE-6: a replica that lost its connection forgets its memory, and fills it again once it hears."""
    with ValkeyServer(tmp_path) as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        async with Relay(port) as relay, replica(server.url) as writer:
            through = server.url.replace(f":{port}/", f":{relay.port}/")
            async with replica(through, "two_tier") as reader:
                await writer.cache.set("a", 1)
                await all_news(reader.cache)
                assert await reader.cache.get("a") == 1
                assert not await is_at_the_server_only(reader.cache, "a")
                await relay.pause()

                async def forgotten() -> bool:
                    return await is_at_the_server_only(reader.cache, "a")

                await until(forgotten)
                with pytest.raises(CacheStorageError):
                    await reader.cache.get("a")
                await writer.cache.set("a", 2)
                await relay.resume()

                async def back() -> bool:
                    try:
                        assert await reader.cache.get("a") == 2
                    except CacheStorageError:
                        return False
                    return not await is_at_the_server_only(reader.cache, "a")

                await until(back)


KEYS, TAGS = [f"k{number}" for number in range(5)], ["t", "u"]


async def do_something(cache: CacheService, chosen: random.Random, value: str) -> None:
    key, tags = chosen.choice(KEYS), [chosen.choice(TAGS)]

    async def load() -> str:
        await asyncio.sleep(0)
        return value

    match chosen.randrange(40):
        case 0:
            await cache.clear()
        case 1 | 2:
            await cache.invalidate(*tags)
        case 3 | 4 | 5:
            await cache.delete(key)
        case 6 | 7 | 8 | 9:
            await cache.set(key, value, tags=tags)
        case 10 | 11 | 12:
            await cache.upsert(key, value)
        case 13 | 14 | 15 | 16:
            await cache.get_or_set(key, load, tags=tags)
        case _:
            await cache.get_many(chosen.sample(KEYS, 3))


async def test_whatever_replicas_do_at_once_they_agree_in_the_end(valkey_url: str) -> None:
    """CACHE-6: once the news have arrived, nobody answers from memory with what is not at the server."""

    async def work(cache: CacheService, seed: int) -> None:
        chosen = random.Random(seed)
        for number in range(200):
            await do_something(cache, chosen, f"{seed}-{number}")

    async with replicas(3, valkey_url, "two_tier") as caches, replica(valkey_url) as truth:
        await asyncio.gather(*(work(cache, seed) for seed, cache in enumerate((*caches, *caches, *caches))))
        for cache in caches:
            await all_news(cache)
        there = await truth.cache.get_many(KEYS)
        for cache in caches:
            assert await cache.get_many(KEYS) == there
            assert {key: value for key in KEYS if (value := await cache.get(key)) is not MISS} == there


@pytest.fixture
def tier() -> NearTier:
    codec = Codec()
    memory = MemoryBackend(Limits(entries=100, bytes=10_000), codec.decode, clock=ManualClock(1.0))
    tier = NearTier(memory, codec, 60)
    tier.open()
    return tier


def value(number: int) -> Item:
    return Codec().encode([number])


@pytest.mark.parametrize(
    "news", [News.of_keys("n", ["a"]), News.of_tags("n", ["other"]), News.of_namespace("n"), b"\xc1 no news"]
)
def test_news_of_a_value_that_is_on_its_way_spoil_it(tier: NearTier, news: bytes) -> None:
    """CACHE-6: it was read before the change, and must not be kept after it."""
    with tier.fetching("n", "a") as fetch:
        tier.hear(news)
        assert fetch.keep(value(1), 60, ["t"]).data == value(1).data
    assert tier.get("n", ["a"]) == {}
    with tier.fetching("n", "a") as fetch:
        fetch.keep(value(2), 60, ["t"])
    assert tier.get("n", ["a"])["a"].data == value(2).data


def test_news_of_something_else_spoil_nothing(tier: NearTier) -> None:
    with tier.fetching("n", "a") as fetch, tier.fetching("n", "a") as other:
        tier.hear(News.of_keys("n", ["b"]))
        tier.hear(News.of_namespace("m"))
        tier.hear(News.of_tags("m", ["t"]))
        fetch.keep(value(1), 60, ["t"])
        assert not other.spoilt
    assert list(tier.get("n", ["a", "b"])) == ["a"]
    tier.hear(News.of_tags("n", ["t"]))
    assert tier.get("n", ["a"]) == {}


def test_nothing_is_kept_while_it_is_shut(tier: NearTier) -> None:
    with tier.fetching("n", "a") as fetch:
        tier.shut()
        tier.open()
        fetch.keep(value(1), 60, [])
    assert tier.get("n", ["a"]) == {}
    tier.shut()
    with tier.fetching("n", "a") as fetch:
        fetch.keep(value(1), 60, [])
    assert tier.get("n", ["a"]) == {}
