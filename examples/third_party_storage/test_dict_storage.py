"""The conformance suite of Bedplate's storage, on the backend of this distribution."""

import pytest

from bedplate.testing import InstalledStorage, StorageConformance


class TestDict(StorageConformance):
    survives_restart = False

    @pytest.fixture
    async def harness(self, tmp_path, migrated_database):
        async with InstalledStorage("dict", tmp_path, migrated_database) as harness:
            yield harness
