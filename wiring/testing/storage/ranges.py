"""STO-3: parts of files."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.storage import (
    FileRangeError,
    FileTooLargeError,
    Namespace,
    StorageService,
    StoredFileNotFoundError,
)
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content

__all__ = ["Ranges"]

_DATA = bytes(index % 251 for index in range(20_000))


class Ranges(Capabilities):
    """STO-3."""

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(start=st.integers(0, len(_DATA)), length=st.none() | st.integers(0, 30_000))
    async def test_any_part_is_that_part(
        self, start: int, length: int | None, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-3: as a stream and whole, across the limits of chunks; the information is that of the whole file."""
        if not await storage.exists(namespace, "a"):
            await storage.save(namespace, "a", _DATA)
        end = None if length is None else start + length
        async with await storage.open(namespace, "a", start=start, end=end) as file:
            assert file.info.size == len(_DATA)
            assert b"".join([chunk async for chunk in file]) == _DATA[start:end]
        assert await storage.read(namespace, "a", start=start, end=end) == _DATA[start:end]

    async def test_a_part_outside_the_file_is_refused(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: by an error that says how large the file is."""
        await storage.save(namespace, "a", b"0123456789")
        for start, end in ((11, None), (-1, None), (5, 4), (11, 12), (0, -1)):
            for call in (
                storage.open(namespace, "a", start=start, end=end),
                storage.read(namespace, "a", start=start, end=end),
            ):
                with pytest.raises(FileRangeError) as caught:
                    await call
                assert caught.value.size == 10
        with pytest.raises(StoredFileNotFoundError):
            await storage.open(namespace, "b", start=1)
        assert await storage.read(namespace, "a", start=10) == b""

    async def test_a_small_part_of_a_large_file_is_read_whole(
        self, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-3: the limit is one of the part, not of the file."""
        await storage.save(namespace, "a", _DATA)
        assert await storage.read(namespace, "a", max_bytes=10, start=100, end=110) == _DATA[100:110]
        with pytest.raises(FileTooLargeError):
            await storage.read(namespace, "a", max_bytes=9, start=100, end=110)

    async def test_a_part_is_of_one_version(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3: of the one that was opened, whatever replaces it."""
        await storage.save(namespace, "a", b"old" * 5_000)
        async with await storage.open(namespace, "a", start=3) as file:
            await storage.save(namespace, "a", b"new" * 5_000)
            assert b"".join([chunk async for chunk in file]) == b"old" * 4_999
        assert await content(storage, namespace, "a") == b"new" * 5_000
        assert await harness.leftovers() == []
