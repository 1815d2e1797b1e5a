"""STATE-1 and STATE-2: the backends of the state, one suite for all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.state import StateService
from bedplate.services.state.backend import Limits
from bedplate.services.state.memory import MemoryBackend
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cache import ManualClock
from bedplate.wiring.testing.state import StateConformance


class Harness:
    """States on one clock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = ManualClock(1_000_000.0)
        self._made: list[StateService] = []

    async def state(self, **values: Any) -> StateService:
        settings = SettingsService(profile="test", data_dir=self._folder, state=values)
        store = MemoryBackend(Limits.of(settings.values.state), clock=self._clock)
        service = StateService(settings, TelemetryService(settings, Redactor(settings)), store)
        self._made.append(service)
        await service.start()
        return service

    async def advance(self, seconds: float) -> None:
        self._clock.now += seconds

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


class TestMemory(StateConformance):
    """STATE-1 and STATE-2 for the backend ``memory``."""

    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path)
        yield harness
        await harness.close()
