"""What the suite needs of a broker under test."""

from typing import Any, Protocol

from bedplate.services.socket.backend import Broker

__all__ = ["SocketHarness"]


class SocketHarness(Protocol):
    """Makes brokers that share nothing but what replicas share."""

    async def broker(self, **settings: Any) -> Broker:
        """A started broker with these settings of the group ``socket``."""
        ...

    async def settled(self) -> None:
        """Return when everything that was published has been delivered."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...
