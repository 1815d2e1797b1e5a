"""What every backend of the storage must do: a suite to run against a backend of one's own.

Subclass :class:`StorageConformance` in a test module and give it a fixture ``harness``::

    class TestMyBackend(StorageConformance):
        @pytest.fixture
        async def harness(self, tmp_path):
            harness = MyHarness(tmp_path)
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.storage.conditions import Conditions
from bedplate.wiring.testing.storage.harness import StorageHarness
from bedplate.wiring.testing.storage.lifecycle import Lifecycle
from bedplate.wiring.testing.storage.listing import Listing
from bedplate.wiring.testing.storage.metadata import FileMetadata
from bedplate.wiring.testing.storage.model import Model
from bedplate.wiring.testing.storage.names import Names
from bedplate.wiring.testing.storage.operations import Operations
from bedplate.wiring.testing.storage.quota import Quotas
from bedplate.wiring.testing.storage.ranges import Ranges
from bedplate.wiring.testing.storage.streams import Streams

__all__ = ["StorageConformance", "StorageHarness"]


class StorageConformance(
    Names, Operations, Streams, Model, Lifecycle, Ranges, Conditions, FileMetadata, Quotas, Listing
):
    """The whole suite."""
