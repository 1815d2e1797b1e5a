"""SOCK-2: the brokers of the socket service, one suite for all."""

from typing import Any

import pytest

from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket.backend import Broker
from bedplate.services.socket.memory import MemoryBroker
from bedplate.wiring.testing.cache import ManualClock
from bedplate.wiring.testing.socket import SocketConformance


class Harness:
    """Brokers on one clock."""

    def __init__(self) -> None:
        self._clock = ManualClock(1_000_000.0)

    async def broker(self, **settings: Any) -> Broker:
        broker = MemoryBroker(SocketSettings(**settings), clock=self._clock)
        await broker.start()
        return broker

    async def settled(self) -> None:
        """What is published here is delivered at once."""

    async def advance(self, seconds: float) -> None:
        self._clock.now += seconds


class TestMemory(SocketConformance):
    """SOCK-2 for the broker ``memory``."""

    @pytest.fixture
    async def harness(self) -> Harness:
        return Harness()
