"""Feeds of several processes over one server: nothing lost, doubled or out of order, or a gap that is told of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_feeds import RedisFeeds
from bedplate.services.engines.redis_feeds_store import FeedLimits, FeedPlace
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

PATIENCE = 60.0
SERVICE = ServiceType.SOCKET
LIMITS = FeedLimits(ttl=60.0, events=1000, bytes=1_000_000, total_bytes=10_000_000)


class Process:
    """The feeds of one process, and what they have delivered."""

    def __init__(self, engine: RedisEngine, **limits: Any) -> None:
        self.engine = engine
        self.heard: list[tuple[str, str, int, bytes]] = []
        self.gaps: list[str] = []
        self._changed = asyncio.Event()
        kept = {name: getattr(LIMITS, name) for name in LIMITS.__struct_fields__} | limits
        self.feeds = RedisFeeds(engine, SERVICE, FeedLimits(**kept), self._hear, self._gap)

    def _hear(self, *event: Any) -> None:
        self.heard.append(event)
        self._changed.set()

    def _gap(self, name: str) -> None:
        self.gaps.append(name)
        self._changed.set()

    def numbers(self) -> list[int]:
        return [int(payload) for *_, payload in self.heard]

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.feeds.publish("feed", b"%d" % number)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Processes:
    """Makes processes of one server, each with connections of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._settings = SettingsService(profile="test", data_dir=folder, redis={"url": url, "command_timeout": 2.0})
        self._made: list[Process] = []

    async def new(self, **limits: Any) -> Process:
        engine = RedisEngine(self._settings)
        await engine.start()
        process = Process(engine, **limits)
        self._made.append(process)
        await process.feeds.start()
        return process

    async def close(self) -> None:
        for process in self._made:
            await process.feeds.stop()
            await process.engine.stop()


@pytest.fixture
async def processes(tmp_path: Path, valkey_url: str) -> AsyncIterator[Processes]:
    processes = Processes(tmp_path, valkey_url)
    yield processes
    await processes.close()


async def test_a_listener_whose_connections_die_misses_nothing(processes: Processes) -> None:
    """SOCK-3: it reads what was said meanwhile, and goes on without hearing anything twice."""
    speaker, listener = await processes.new(), await processes.new()
    await asyncio.gather(speaker.feeds.watch("feed"), listener.feeds.watch("feed"))
    for number in range(300):
        speaker.say(number)
        if number in (50, 150, 250):
            await speaker.feeds.settled()
            await speaker.engine.client(SERVICE).client_kill_filter(_type="pubsub", skipme=True)
        await asyncio.sleep(0)
    for process in (speaker, listener):
        await process.until(lambda process=process: len(process.heard) == 300)  # type: ignore[misc]  # a binding
        assert process.numbers() == list(range(300))
        assert [number for _, _, number, _ in process.heard] == list(range(1, 301))
        assert process.gaps == []


async def test_what_is_sent_again_after_hours_is_not_done_twice(processes: Processes) -> None:
    """SOCK-3: a server that died when it had done it, before it could say so, may be away for long."""
    speaker = await processes.new()
    begun = await speaker.feeds.watch("feed")
    store, client = speaker.feeds._store, speaker.engine.client(SERVICE)
    await store.execute(1, [("say", "feed", b"1")])
    for key in await client.keys("*"):
        if (left := await client.pttl(key)) >= 0:
            await client.pexpire(key, left - 12 * 3_600_000)  # half a day passes
    await store.execute(1, [("say", "feed", b"1")])
    assert (await speaker.feeds.since("feed", begun)).events == [b"1"]


async def test_who_lagged_too_far_is_told_of_a_gap(processes: Processes) -> None:
    """ALL-6, SOCK-3: what is kept no longer is not pretended to be all."""
    speaker, listener = await processes.new(events=5), await processes.new(events=5)
    start = await listener.feeds.watch("feed")
    hold = asyncio.Event()
    since = listener.feeds.since

    async def late(name: str, place: FeedPlace) -> Any:
        await hold.wait()
        return await since(name, place)

    listener.feeds.since = late  # type: ignore[method-assign]  # reads when the test says so
    await speaker.engine.client(SERVICE).client_kill_filter(_type="pubsub", skipme=True)
    speaker.say(*range(20))
    await speaker.feeds.settled()
    hold.set()
    await listener.until(lambda: len(listener.heard) == 20 or bool(listener.gaps))
    if listener.gaps:
        backlog = await since("feed", FeedPlace(start.epoch, start.offset))
        assert not backlog.complete
        assert backlog.place.offset == 20
    speaker.say(20)
    await listener.until(lambda: 20 in listener.numbers())
    assert listener.numbers() == sorted(set(listener.numbers()))


async def test_what_is_said_while_the_server_is_away_is_heard_when_it_is_back(tmp_path: Path) -> None:
    """SOCK-3: once and in order, though nobody knows which of it had been done before."""
    with ValkeyServer(tmp_path, durable=True) as server:
        processes = Processes(tmp_path, server.url)
        speaker, listener = await processes.new(), await processes.new()
        await asyncio.gather(speaker.feeds.watch("feed"), listener.feeds.watch("feed"))
        speaker.say(*range(100))
        server.kill()
        speaker.say(*range(100, 200))
        with pytest.raises(UnavailableError):
            await listener.feeds.watch("another")
        server.start()
        for process in (speaker, listener):
            await process.until(lambda process=process: len(process.heard) >= 200)  # type: ignore[misc]  # a binding
            await process.feeds.settled()
            assert process.numbers() == list(range(200))
            assert process.gaps == []
        await listener.feeds.watch("another")
        await processes.close()


async def test_a_server_that_has_forgotten_everything_makes_a_gap(tmp_path: Path) -> None:
    """SOCK-3: whoever is there is told, and hears what comes after it; an event under an old id is never another."""
    with ValkeyServer(tmp_path) as server:
        processes = Processes(tmp_path, server.url)
        speaker, listener = await processes.new(waiting=50), await processes.new()
        await speaker.feeds.watch("feed")
        start = await listener.feeds.watch("feed")
        speaker.say(*range(10))
        await listener.until(lambda: len(listener.heard) == 10)
        server.kill()
        server.start()
        await listener.until(lambda: listener.gaps == ["feed"])
        speaker.say(*range(10, 20))
        await listener.until(lambda: 19 in listener.numbers())
        assert listener.numbers() == list(range(20))
        assert listener.heard[9][1:3] == (start.epoch, 10)
        assert listener.heard[10][1] != start.epoch
        assert not (await listener.feeds.since("feed", start)).complete
        await processes.close()


async def test_more_than_can_wait_is_lost_and_said_to_be(tmp_path: Path) -> None:
    """ALL-6: the latest; what waited is heard, then everybody learns of the gap, and nobody waits for good."""
    with ValkeyServer(tmp_path, durable=True) as server:
        processes = Processes(tmp_path, server.url)
        speaker, listener = await processes.new(waiting=20), await processes.new()
        await asyncio.gather(speaker.feeds.watch("feed"), listener.feeds.watch("feed"))
        server.kill()
        speaker.say(*range(100))
        assert speaker.feeds.lost == 80
        server.start()
        await listener.until(lambda: listener.gaps == ["feed"])
        speaker.say(100)
        await listener.until(lambda: 100 in listener.numbers())
        assert listener.numbers() in ([100], [*range(20), 100])
        await processes.close()


async def test_a_feed_of_somebody_who_is_gone_is_kept_for_a_while(processes: Processes) -> None:
    """SOCK-3: as if it had left when it was last heard of; one that stopped has left."""
    gone, other = await processes.new(), await processes.new()
    start = await gone.feeds.watch("feed")
    gone.say(1)
    await gone.feeds.settled()
    await gone.feeds.stop()
    other.say(2)
    await other.feeds.settled()
    await other.feeds.watch("feed")
    backlog = await other.feeds.since("feed", start)
    assert (backlog.complete, backlog.events) == (True, [b"1", b"2"])
    with pytest.raises(UnavailableError, match="not started"):
        await gone.feeds.watch("feed")


async def test_nobody_is_told_of_what_is_not_watched(processes: Processes) -> None:
    """ALL-6: nothing is kept of it either."""
    speaker = await processes.new()
    speaker.say(1, 2)
    await speaker.feeds.settled()
    place = await speaker.feeds.watch("feed")
    assert place.offset == 0
    watching = asyncio.ensure_future(speaker.feeds.watch("other"))
    await asyncio.sleep(0)
    speaker.feeds.unwatch("other")
    await watching
    speaker.feeds.unwatch("feed")
    await speaker.feeds.settled()
    assert speaker.heard == []
