"""STO-3: lists page by page, and many files as one archive."""

import io
import uuid
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.errors import InvalidInputError, UnavailableError
from bedplate.services.storage import Namespace, StorageService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content, pieces

__all__ = ["Listing"]


async def _all(storage: StorageService, namespace: Namespace, limit: int, prefix: str = "") -> list[list[str]]:
    """The names of every page."""
    pages, cursor = [], None
    while True:
        page = await storage.page(namespace, cursor=cursor, limit=limit, prefix=prefix)
        pages.append([file.name for file in page.files])
        if (cursor := page.cursor) is None:
            return pages


async def _zip(storage: StorageService, files: Sequence[tuple[str, Namespace, str]]) -> list[tuple[str, bytes]]:
    body = b"".join([chunk async for chunk in storage.archive(files)])
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


class Listing(Capabilities):
    """STO-3."""

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(
        names=st.sets(st.sampled_from(["a", "a b", "a.txt", "ab", "b", "ä", "日本", "z", "Z", "~", "%", "a+b", "?&="])),
        limit=st.integers(1, 5),
        prefix=st.sampled_from(["", "a", "ä", "x"]),
    )
    async def test_pages_cover_the_list(
        self, names: set[str], limit: int, prefix: str, storage: StorageService
    ) -> None:
        """STO-3: in order, without gap or repetition, and none but the last is short or empty."""
        namespace = Namespace.user(uuid.uuid4())
        for name in names:
            await storage.save(namespace, name, b"")
        pages = await _all(storage, namespace, limit, prefix)
        expected = sorted(name for name in names if name.startswith(prefix))
        assert [name for page in pages for name in page] == expected
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1] or not expected
        assert [file.name for file in await storage.list(namespace, prefix=prefix)] == expected

    async def test_pages_while_files_come_and_go(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: what is there all the time is listed once, also when the file that the cursor names is deleted."""
        for name in "bdfh":
            await storage.save(namespace, name, b"")
        first = await storage.page(namespace, limit=2)
        for name in "bd":
            await storage.delete(namespace, name)
        for name in "aeg":
            await storage.save(namespace, name, b"")
        second = await storage.page(namespace, cursor=first.cursor, limit=10)
        assert [file.name for file in first.files] == ["b", "d"]
        assert [file.name for file in second.files] == ["e", "f", "g", "h"]

    async def test_a_forged_cursor_is_refused(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: whatever it stands for."""
        for cursor in ("", "x", "====", "Li4vYQ==", "AA==", "w6Q", "é", "YQ==\n", "YS9i", "gA=="):
            with pytest.raises(InvalidInputError):
                await storage.page(namespace, cursor=cursor)

    async def test_many_files_as_one_archive(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: of several namespaces, small and large, streamed; names that are taken get a number."""
        other = Namespace.flow(namespace.owner, uuid.uuid4())
        large = bytes(index % 251 for index in range(100_000))
        await storage.save(namespace, "a", b"first")
        await storage.save(other, "a", pieces(large))
        await storage.save(other, "empty", b"")
        files = [
            ("a.txt", namespace, "a"),
            ("a.txt", other, "a"),
            ("A.TXT", namespace, "a"),
            ("gone.txt", namespace, "gone"),
            ("Grüße.txt", other, "empty"),
            ("a.txt", namespace, "a"),
        ]
        assert await _zip(storage, files) == [
            ("a.txt", b"first"),
            ("a (1).txt", large),
            ("A (2).TXT", b"first"),
            ("Grüße.txt", b""),
            ("a (3).txt", b"first"),
        ]
        assert await _zip(storage, []) == []

    async def test_an_archive_that_is_left_early_gives_its_files_back(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3, ALL-1: wherever its reader is cancelled."""
        for name in "abc":
            await storage.save(namespace, name, name.encode() * 10_000)
        files = [(name, namespace, name) for name in "abc"]

        async def read() -> None:
            assert len(await _zip(storage, files)) == 3

        async def check(_cancelled: bool) -> None:
            assert await content(storage, namespace, "a") == b"a" * 10_000

        assert await cancel_at_every_await(read, check) > 3
        await storage.delete_namespace(namespace)
        assert await harness.leftovers() == []

    async def test_no_archive_of_a_stopped_storage(self, storage: StorageService, namespace: Namespace) -> None:
        """ALL-1."""
        await storage.stop()
        with pytest.raises(UnavailableError):
            storage.archive([("a", namespace, "a")])
