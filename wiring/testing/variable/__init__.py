"""What every backend of the variables must do: a suite to run against a backend of one's own.

Subclass :class:`VariableConformance` in a test module and give it a fixture ``harness``::

    class TestMyBackend(VariableConformance):
        @pytest.fixture
        async def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.variable.encryption import Encryption
from bedplate.wiring.testing.variable.harness import VariableHarness
from bedplate.wiring.testing.variable.lifecycle import Lifecycle
from bedplate.wiring.testing.variable.machine import Machine
from bedplate.wiring.testing.variable.masking import Masking
from bedplate.wiring.testing.variable.names import Names
from bedplate.wiring.testing.variable.operations import Operations
from bedplate.wiring.testing.variable.resolving import Resolving

__all__ = ["VariableConformance", "VariableHarness"]


class VariableConformance(Operations, Names, Encryption, Masking, Resolving, Machine, Lifecycle):
    """The whole suite."""
