"""A subscription hears what is said on its channels, and says when it may have missed something."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_subscription import RedisSubscription
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

PATIENCE = 60.0
SERVICE = ServiceType.SOCKET


class Ear:
    """Keeps what a subscription passes on."""

    def __init__(self, engine: RedisEngine) -> None:
        self.engine = engine
        self.heard: list[tuple[str, bytes]] = []
        self.restored = asyncio.Event()
        self.subscription = RedisSubscription(engine, SERVICE, self._hear, self.restored.set)
        self.subscription.start()

    def _hear(self, channel: str, data: bytes) -> None:
        if data == b"bad":
            raise ValueError
        self.heard.append((channel, data))

    async def say(self, channel: str, data: str) -> int:
        return int(await self.engine.client(SERVICE).publish(channel, data))


@pytest.fixture
async def ear(redis_engine: RedisEngine) -> AsyncIterator[Ear]:
    ear = Ear(redis_engine)
    yield ear
    await ear.subscription.stop()


async def test_what_is_said_is_heard_in_order(ear: Ear) -> None:
    """ALL-6: from the moment that subscribe returns, on these channels only, and an error of a handler ends nothing."""
    await ear.subscription.subscribe("a")
    await ear.subscription.subscribe("a")
    await ear.say("a", "1")
    await ear.say("b", "no")
    await ear.subscription.subscribe("b")
    await ear.say("a", "bad")
    for number in range(2, 100):
        await ear.say("ab"[number % 2], str(number))
    await ear.subscription.barrier()
    assert [int(data) for _, data in ear.heard] == list(range(1, 100))
    assert not ear.restored.is_set()


async def test_a_channel_that_is_left_is_heard_no_more(ear: Ear) -> None:
    """ALL-6: and one that is left and entered again at once is, from then on."""
    await ear.subscription.barrier()
    await ear.subscription.subscribe("a")
    ear.subscription.unsubscribe("a")
    ear.subscription.unsubscribe("a")
    await ear.subscription.barrier()
    assert await ear.say("a", "no") == 0
    await ear.subscription.subscribe("a")
    ear.subscription.unsubscribe("a")
    await ear.subscription.subscribe("a")
    assert await ear.say("a", "yes") == 1
    await ear.subscription.barrier()
    assert ear.heard == [("a", b"yes")]


async def test_many_channels(ear: Ear) -> None:
    """SOCK-3: more than one command takes, at once."""
    names = [f"channel-{number}" for number in range(1200)]
    await asyncio.gather(*(ear.subscription.subscribe(name) for name in names))
    for name in names:
        assert await ear.say(name, "x") == 1
    await ear.subscription.barrier()
    assert [channel for channel, _ in ear.heard] == names


async def test_it_comes_back_by_itself(tmp_path: Path) -> None:
    """SOCK-3: to all channels, those included that were asked for meanwhile; it says that something may be missing."""
    with ValkeyServer(tmp_path) as server:
        engine = RedisEngine(SettingsService(profile="test", data_dir=tmp_path, redis={"url": server.url}))
        await engine.start()
        ear = Ear(engine)
        await ear.subscription.subscribe("a")
        await ear.subscription.subscribe("gone")
        server.kill()
        async with asyncio.timeout(PATIENCE):
            while ear.subscription.connected:
                with pytest.raises(UnavailableError):
                    await ear.subscription.barrier()
            with pytest.raises(UnavailableError):
                await ear.subscription.subscribe("b")
            ear.subscription.unsubscribe("gone")
            server.start()
            await ear.restored.wait()
            assert ear.subscription.connected
            assert [await ear.say(name, name) for name in ("a", "b", "gone")] == [1, 1, 0]
            await ear.subscription.barrier()
        assert ear.heard == [("a", b"a"), ("b", b"b")]
        await ear.subscription.stop()
        with pytest.raises(UnavailableError, match="ended"):
            waiting = asyncio.ensure_future(ear.subscription.subscribe("c"))
            await asyncio.sleep(0)
            await ear.subscription.stop()
            await waiting
        await engine.stop()
