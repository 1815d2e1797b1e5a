"""What every broker of the socket service must do: a suite to run against a broker of one's own.

Subclass :class:`SocketConformance` in a test module and give it a fixture ``harness``::

    class TestMyBroker(SocketConformance):
        reaches_replicas = True

        @pytest.fixture
        async def harness(self):
            harness = MyHarness()
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.socket.harness import SocketHarness
from bedplate.wiring.testing.socket.suite import Broadcast

__all__ = ["SocketConformance", "SocketHarness"]


class SocketConformance(Broadcast):
    """The whole suite."""
