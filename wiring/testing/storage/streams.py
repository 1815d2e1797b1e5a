"""STO-1: uploads and downloads bit by bit, which may end early, be too large, or be cancelled anywhere."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bedplate.services.storage import FileTooLargeError, Namespace, OnTaken, StorageService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content, pieces

__all__ = ["Streams"]


class Streams(Capabilities):
    """STO-1."""

    async def test_too_large_a_file_is_refused(self, harness: StorageHarness, namespace: Namespace) -> None:
        """STO-1: at the limit it is saved, one byte above nothing of it is kept, and what was there stays."""
        storage = await harness.storage(max_file_bytes=10_000, chunk_bytes=4096)
        await storage.save(namespace, "a", b"x" * 10_000)
        await storage.save(namespace, "b", pieces(b"y" * 10_000))
        for data in (b"z" * 10_001, pieces(b"z" * 10_001)):
            with pytest.raises(FileTooLargeError, match="MAX_FILE_BYTES"):
                await storage.save(namespace, "a", data)
        assert await content(storage, namespace, "a") == b"x" * 10_000
        assert await harness.leftovers() == []

    async def test_an_endless_upload_is_given_up(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: as soon as it is over the limit."""
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield b"x" * 1024

        with pytest.raises(FileTooLargeError):
            await storage.save(namespace, "a", endless())
        assert taken == 1025

    async def test_an_upload_that_fails_leaves_nothing(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-1: its own error reaches the caller; the file of that name, if there is one, is as it was."""

        async def broken() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"new" * 1000
            raise ConnectionResetError("the client went away")

        for before in (False, True):
            if before:
                await storage.save(namespace, "a", b"old")
            with pytest.raises(ConnectionResetError):
                await storage.save(namespace, "a", broken())
            assert await storage.exists(namespace, "a") is before
            assert await harness.leftovers() == []
        assert await content(storage, namespace, "a") == b"old"

    async def test_an_upload_is_invisible_until_it_is_whole(
        self, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-1: by no method."""
        half, rest = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 20_000
            half.set()
            await rest.wait()
            yield b"y"

        saving = asyncio.ensure_future(storage.save(namespace, "a", slow()))
        await half.wait()
        assert await storage.list(namespace) == []
        assert not await storage.exists(namespace, "a")
        rest.set()
        assert (await saving).size == 20_001
        assert [file.name for file in await storage.list(namespace)] == ["a"]

    async def test_a_save_cancelled_anywhere_happens_wholly_or_not_at_all(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-1, ALL-1: streamed or not, nothing is half there, and no part is left."""
        old, new = b"old", b"new" * 5_000
        await storage.save(namespace, "a", old)

        async def check(_cancelled: bool) -> None:
            assert await content(storage, namespace, "a") in (old, new)
            assert await harness.leftovers() == []
            await storage.save(namespace, "a", old)

        streamed = await cancel_at_every_await(lambda: storage.save(namespace, "a", pieces(new)), check)
        whole = await cancel_at_every_await(lambda: storage.save(namespace, "a", new), check)
        assert streamed > whole

    @pytest.mark.parametrize("on_taken", [OnTaken.NUMBER, OnTaken.REFUSE])
    async def test_a_save_under_a_new_name_cancelled_anywhere_leaves_nothing(
        self, on_taken: OnTaken, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-1, ALL-1: not even when it was done already, since the caller never learns the name."""

        async def check(cancelled: bool) -> None:
            assert bool(await storage.list(namespace)) is not cancelled
            assert await harness.leftovers() == []
            await storage.delete_namespace(namespace)

        for whole in (True, False):

            async def save(whole: bool = whole) -> None:
                data = b"new" * 5_000
                await storage.save(namespace, "a", data if whole else pieces(data), on_taken=on_taken)

            await cancel_at_every_await(save, check)

    async def test_other_changes_cancelled_anywhere_happen_wholly_or_not_at_all(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-1, ALL-1: copies, moves and deletions."""

        async def work() -> None:
            await storage.save(namespace, "a", b"x" * 9_000)
            await storage.copy(namespace, "a", namespace, "b")
            await storage.move(namespace, "a", namespace, "c")
            await storage.delete(namespace, "b")
            await storage.delete_namespace(namespace)

        async def check(_cancelled: bool) -> None:
            for file in await storage.list(namespace):
                assert await content(storage, namespace, file.name) == b"x" * 9_000
            assert await harness.leftovers() == []
            await storage.delete_namespace(namespace)

        await cancel_at_every_await(work, check)

    async def test_a_download_cancelled_anywhere_harms_nobody(
        self, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-1, ALL-1: the next one gets everything."""
        data = b"0123456789" * 2_000
        await storage.save(namespace, "a", data)

        async def download() -> None:
            assert await content(storage, namespace, "a") == data

        async def check(_cancelled: bool) -> None:
            await download()

        assert await cancel_at_every_await(download, check) >= 3

    async def test_a_reader_that_leaves_early_gives_the_file_back(
        self, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-1: within its block, and by closing it twice."""
        await storage.save(namespace, "a", b"x" * 50_000)
        for _ in range(3):
            async with await storage.open(namespace, "a") as file:
                async for chunk in file:
                    assert chunk
                    break
            file.close()
        never_read = await storage.open(namespace, "a")
        never_read.close()

    async def test_many_streams_at_once(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: uploads and downloads do not mix."""

        async def round_trip(index: int) -> None:
            data = bytes([index]) * (5_000 + index)
            await storage.save(namespace, str(index), pieces(data, 777))
            assert await content(storage, namespace, str(index)) == data

        await asyncio.gather(*(round_trip(index) for index in range(40)))
