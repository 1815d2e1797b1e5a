"""STO-3: changes that are made only if the file is the version that the caller knows."""

import asyncio

import pytest

from bedplate.services.storage import (
    FileChangedError,
    FileTakenError,
    Namespace,
    OnTaken,
    StorageService,
    StoredFileNotFoundError,
)
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content, pieces

__all__ = ["Conditions"]


class Conditions(Capabilities):
    """STO-3."""

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_save_over_the_known_version(
        self, streamed: bool, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3: replaces it; over another one, or over none, it is refused and nothing is left."""

        async def save(data: bytes, etag: str) -> str:
            source = pieces(data) if streamed else data
            return (await storage.save(namespace, "a", source, if_match=etag)).etag

        with pytest.raises(FileChangedError):
            await save(b"new" * 3_000, '"none"')
        assert not await storage.exists(namespace, "a")
        first = (await storage.save(namespace, "a", b"1")).etag
        second = await save(b"2" * 9_000, first)
        for stale in (first, "", "*", second.strip('"'), f"W/{second}"):
            with pytest.raises(FileChangedError, match="'a'"):
                await save(b"3" * 9_000, stale)
        assert await content(storage, namespace, "a") == b"2" * 9_000
        assert [file.name for file in await storage.list(namespace)] == ["a"]
        assert await harness.leftovers() == []
        await storage.delete(namespace, "a")
        with pytest.raises(FileChangedError):
            await save(b"4", second)
        assert await harness.leftovers() == []

    async def test_create_only(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: of many who create one file, one does; the others are told, and their content is nowhere."""
        saves = [
            storage.save(namespace, "a", pieces(bytes([index]) * 9_000), on_taken=OnTaken.REFUSE) for index in range(20)
        ]
        outcomes = await asyncio.gather(*saves, return_exceptions=True)
        winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(winners) == 1
        assert all(isinstance(outcome, FileTakenError) for outcome in outcomes if isinstance(outcome, BaseException))
        assert (await storage.stat(namespace, "a")).etag == winners[0].etag

    async def test_no_change_is_lost(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: many who read, add and save under the condition that nobody else did: everything is there."""
        await storage.save(namespace, "log", b"")

        async def add(index: int) -> None:
            while True:
                info = await storage.stat(namespace, "log")
                before = await content(storage, namespace, "log")
                if len(before) != info.size:
                    continue  # replaced in between
                try:
                    await storage.save(namespace, "log", before + bytes([index]), if_match=info.etag)
                except FileChangedError:
                    continue
                return

        await asyncio.gather(*(add(index) for index in range(20)))
        assert sorted(await content(storage, namespace, "log")) == list(range(20))

    async def test_a_plain_save_is_not_undone_by_a_conditional_one(
        self, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-3: once a plain save has returned, a save over the version before it is refused."""
        for _ in range(20):
            known = (await storage.save(namespace, "a", b"known")).etag
            _, conditional = await asyncio.gather(
                storage.save(namespace, "a", b"plain"),
                storage.save(namespace, "a", b"conditional", if_match=known),
                return_exceptions=True,
            )
            assert not isinstance(conditional, BaseException) or isinstance(conditional, FileChangedError)
            # Whichever came first, the plain save is the last one that could succeed.
            assert await content(storage, namespace, "a") == b"plain"

    async def test_deleting_the_known_version(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: and no other."""
        first = (await storage.save(namespace, "a", b"1")).etag
        second = (await storage.save(namespace, "a", b"2")).etag
        with pytest.raises(FileChangedError):
            await storage.delete(namespace, "a", if_match=first)
        assert await content(storage, namespace, "a") == b"2"
        await storage.delete(namespace, "a", if_match=second)
        with pytest.raises(StoredFileNotFoundError):
            await storage.delete(namespace, "a", if_match=second)

    async def test_a_conditional_save_cancelled_anywhere_happens_wholly_or_not_at_all(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """ALL-1: what is there is one of the two versions."""
        known = await storage.save(namespace, "a", b"old")

        async def save() -> None:
            await storage.save(namespace, "a", pieces(b"new" * 5_000), if_match=known.etag)

        async def check(_cancelled: bool) -> None:
            nonlocal known
            assert await content(storage, namespace, "a") in (b"old", b"new" * 5_000)
            assert await harness.leftovers() == []
            known = await storage.save(namespace, "a", b"old")

        await cancel_at_every_await(save, check)
