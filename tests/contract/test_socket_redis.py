"""SOCK-2 and SOCK-3: the broker ``redis`` on a real server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.redis import RedisBroker
from bedplate.wiring.testing.cache import ManualClock
from bedplate.wiring.testing.socket import SocketConformance


class TickingClock(ManualClock):
    """A clock on which some time passes between any two looks, as on a real one."""

    def __call__(self) -> float:
        self.now += 0.001
        return super().__call__()


class OwnBroker(RedisBroker):
    """A broker whose clients are its own: one part of the suite has an event loop for each of its brokers."""

    def __init__(self, engine: RedisEngine, clock: ManualClock, **values: Any) -> None:
        super().__init__(SocketSettings(**values), engine, clock=clock)
        self._engine = engine
        self.running = False

    async def start(self) -> None:
        await self._engine.start()
        await super().start()
        self.running = True

    async def stop(self) -> None:
        self.running = False
        await super().stop()
        await self._engine.stop()


class Harness:
    """Brokers on one server and one clock."""

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings
        self._clock = TickingClock(1_000_000.0)
        self._made: list[OwnBroker] = []

    async def broker(self, **settings: Any) -> OwnBroker:
        broker = OwnBroker(RedisEngine(self._settings), self._clock, **settings)
        self._made.append(broker)
        await broker.start()
        return broker

    async def settled(self) -> None:
        for broker in self._made:
            if broker.running:
                await broker.settled()

    async def advance(self, seconds: float) -> None:
        await self.settled()  # what has been said was said before
        self._clock.now += seconds

    async def close(self) -> None:
        for broker in self._made:
            if broker.running:
                await broker.stop()


class TestRedis(SocketConformance):
    """SOCK-2 and SOCK-3 for the broker ``redis``."""

    reaches_replicas = True

    @pytest.fixture
    async def harness(self, tmp_path: Path, valkey_url: str) -> AsyncIterator[Harness]:
        harness = Harness(SettingsService(profile="test", data_dir=tmp_path, redis={"url": valkey_url}))
        yield harness
        await harness.close()
