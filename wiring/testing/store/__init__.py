"""What every backend of the store must do: a suite to run against a backend of one's own.

Subclass :class:`StoreConformance` in a test module and give it a fixture ``harness``::

    class TestMyBackend(StoreConformance):
        versions = False  # what it cannot do

        @pytest.fixture
        async def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.store.harness import StoreHarness
from bedplate.wiring.testing.store.lifecycle import Lifecycle
from bedplate.wiring.testing.store.likes import Likes
from bedplate.wiring.testing.store.ownership import Ownership
from bedplate.wiring.testing.store.publishing import Publishing
from bedplate.wiring.testing.store.searching import Searching
from bedplate.wiring.testing.store.versions import Versions

__all__ = ["StoreConformance", "StoreHarness"]


class StoreConformance(Publishing, Searching, Likes, Versions, Ownership, Lifecycle):
    """The whole suite."""
