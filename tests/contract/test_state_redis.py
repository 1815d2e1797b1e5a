"""STATE-1 to STATE-3: the backend ``redis`` of the state on a real server, one suite for all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.settings import SettingsService
from bedplate.services.state import StateService
from bedplate.services.state.redis import RedisBackend
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cache import ManualClock
from bedplate.wiring.testing.state import StateConformance


class Harness:
    """States over one server and on one clock, each with connections of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self._clock = ManualClock(1_000_000.0)
        self._made: list[tuple[StateService, RedisEngine]] = []

    async def state(self, **values: Any) -> StateService:
        settings = SettingsService(profile="test", data_dir=self._folder, state=values, redis={"url": self._url})
        engine = RedisEngine(settings)
        await engine.start()
        store = RedisBackend(settings.values.state, engine, clock=self._clock)
        service = StateService(settings, TelemetryService(settings, Redactor(settings)), store)
        self._made.append((service, engine))
        await service.start()
        return service

    async def advance(self, seconds: float) -> None:
        self._clock.now += seconds

    async def close(self) -> None:
        for service, engine in self._made:
            await service.stop()
            await engine.stop()


class TestRedis(StateConformance):
    """STATE-1 to STATE-3 for the backend ``redis``."""

    survives_restart = True
    reaches_replicas = True

    @pytest.fixture
    async def harness(self, tmp_path: Path, valkey_url: str) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, valkey_url)
        yield harness
        await harness.close()
