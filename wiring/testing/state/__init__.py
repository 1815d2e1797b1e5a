"""What every backend of the state must do: a suite to run against a backend of one's own.

Subclass :class:`StateConformance` in a test module and give it a fixture ``harness``::

    class TestMyBackend(StateConformance):
        survives_restart = True

        @pytest.fixture
        async def harness(self):
            harness = MyHarness()
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.state.bounds import Bounds
from bedplate.wiring.testing.state.harness import StateHarness
from bedplate.wiring.testing.state.lifecycle import Lifecycle
from bedplate.wiring.testing.state.machine import Machine
from bedplate.wiring.testing.state.replicas import Replicas
from bedplate.wiring.testing.state.subscriptions import Subscriptions
from bedplate.wiring.testing.state.times import Times
from bedplate.wiring.testing.state.values import Values

__all__ = ["StateConformance", "StateHarness"]


class StateConformance(Values, Times, Subscriptions, Bounds, Machine, Lifecycle, Replicas):
    """The whole suite."""
