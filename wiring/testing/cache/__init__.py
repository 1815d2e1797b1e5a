"""What every backend of the cache must do: a suite to run against a backend of one's own.

Subclass :class:`CacheConformance` in a test module and give it a fixture ``harness``::

    class TestMyBackend(CacheConformance):
        survives_restart = True

        @pytest.fixture
        async def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.cache.bounds import Bounds
from bedplate.wiring.testing.cache.harness import CacheHarness, ManualClock
from bedplate.wiring.testing.cache.lifecycle import Lifecycle
from bedplate.wiring.testing.cache.loads import Loads
from bedplate.wiring.testing.cache.machine import Machine
from bedplate.wiring.testing.cache.operations import Operations
from bedplate.wiring.testing.cache.stale import StaleValues
from bedplate.wiring.testing.cache.tags import Tags
from bedplate.wiring.testing.cache.values import Values

__all__ = ["CacheConformance", "CacheHarness", "ManualClock"]


class CacheConformance(Operations, Values, Bounds, Loads, Tags, StaleValues, Lifecycle, Machine):
    """The whole suite."""
