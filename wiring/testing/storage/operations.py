"""STO-1: save, open, list, stat, exists, copy, move, delete, delete a namespace."""

import asyncio
import hashlib
import uuid

import pytest

from bedplate.services.storage import (
    FileTakenError,
    FileTooLargeError,
    Namespace,
    NamespaceDeletedError,
    OnTaken,
    StorageService,
    StoredFileNotFoundError,
    UploadSourceError,
)
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content, pieces

__all__ = ["Operations"]


class Operations(Capabilities):
    """STO-1."""

    async def test_what_is_saved_comes_back(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: with size, digest, validator and content type, the same from save, stat and open."""
        data = bytes(range(256)) * 100
        saved = await storage.save(namespace, "a.png", data)
        assert (saved.name, saved.size, saved.content_type) == ("a.png", len(data), "image/png")
        assert saved.sha256 == hashlib.sha256(data).hexdigest()
        assert saved.etag.startswith('"')
        assert saved.etag.endswith('"')
        assert await storage.stat(namespace, "a.png") == saved
        assert await storage.exists(namespace, "a.png")
        async with await storage.open(namespace, "a.png") as file:
            assert (file.info.etag, file.info.size) == (saved.etag, len(data))
            assert b"".join([chunk async for chunk in file]) == data
        assert await storage.read(namespace, "a.png", max_bytes=len(data)) == data
        with pytest.raises(FileTooLargeError):
            await storage.read(namespace, "a.png", max_bytes=len(data) - 1)

    @pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 8192, 50_000])
    async def test_a_stream_is_the_same_as_bytes(
        self, size: int, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-1: whatever the size, above, at or below the limits of chunks."""
        data = bytes(index % 251 for index in range(size))
        whole = await storage.save(namespace, "whole", data)
        streamed = await storage.save(namespace, "streamed", pieces(data))
        assert (streamed.size, streamed.sha256) == (size, whole.sha256)
        assert await content(storage, namespace, "streamed") == data
        assert await content(storage, namespace, "whole") == data

    async def test_what_is_missing_is_not_found(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: in a namespace that is there, and in one that is not."""
        for saved in (False, True):
            if saved:
                await storage.save(namespace, "other", b"")
            for call in (
                storage.open(namespace, "a"),
                storage.stat(namespace, "a"),
                storage.copy(namespace, "a", namespace, "b"),
                storage.move(namespace, "a", namespace, "b"),
                storage.delete(namespace, "a"),
            ):
                with pytest.raises(StoredFileNotFoundError):
                    await call
            assert not await storage.exists(namespace, "a")
        assert [file.name for file in await storage.list(namespace)] == ["other"]

    async def test_a_save_replaces_and_changes_the_validator(
        self, storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-1: even by the same content, and however fast."""
        tags = {(await storage.save(namespace, "a", b"same")).etag for _ in range(20)}
        assert len(tags) == 20
        assert len(await storage.list(namespace)) == 1

    async def test_who_has_it_open_keeps_the_version(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: one version from beginning to end, whatever happens to the name meanwhile."""
        await storage.save(namespace, "a", b"old" * 10_000)
        async with await storage.open(namespace, "a") as file:
            chunks = aiter(file)
            got = await anext(chunks)
            await storage.save(namespace, "a", b"new")
            await storage.delete(namespace, "a")
            got += b"".join([chunk async for chunk in chunks])
        assert got == b"old" * 10_000

    async def test_lists_are_sorted_and_paged(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: by name, each file once."""
        names = [f"{number:03}.txt" for number in range(25)]
        for name in reversed(names):
            await storage.save(namespace, name, name.encode())
        found = await storage.list(namespace)
        assert [file.name for file in found] == names
        assert all(file.size == 7 and file.content_type == "text/plain" for file in found)
        paged: list[str] = []
        while page := await storage.list(namespace, after=paged[-1] if paged else "", limit=10):
            paged += [file.name for file in page]
        assert paged == names
        assert await storage.list(namespace, limit=0) == []

    async def test_lists_are_bounded(self, harness: StorageHarness, namespace: Namespace) -> None:
        """ALL-6: by the setting, whatever the caller asks for."""
        storage = await harness.storage(max_page=3)
        for number in range(5):
            await storage.save(namespace, str(number), b"")
        assert len(await storage.list(namespace)) == len(await storage.list(namespace, limit=100)) == 3

    async def test_copy(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: to another name, another namespace, over a file only if told to."""
        other = Namespace.flow(namespace.owner, uuid.uuid4())
        saved = await storage.save(namespace, "a.txt", b"a" * 10_000)
        copied = await storage.copy(namespace, "a.txt", other)
        assert (copied.name, copied.sha256) == ("a.txt", saved.sha256)
        with pytest.raises(FileTakenError):
            await storage.copy(namespace, "a.txt", other)
        assert (await storage.copy(namespace, "a.txt", other, on_taken=OnTaken.NUMBER)).name == "a (1).txt"
        await storage.save(other, "b", b"b")
        await storage.copy(namespace, "a.txt", other, "b", on_taken=OnTaken.REPLACE)
        assert await content(storage, other, "b") == b"a" * 10_000
        await storage.save(namespace, "a.txt", b"changed")
        assert await content(storage, other, "a.txt") == b"a" * 10_000

    async def test_move(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: to another name, another namespace, over a file only if told to; nothing is lost when refused."""
        other = Namespace.flow(namespace.owner, uuid.uuid4())
        await storage.save(namespace, "a.txt", b"a")
        assert (await storage.move(namespace, "a.txt", other, "b.txt")).name == "b.txt"
        assert not await storage.exists(namespace, "a.txt")
        await storage.save(namespace, "c.txt", b"c")
        with pytest.raises(FileTakenError):
            await storage.move(namespace, "c.txt", other, "b.txt")
        assert await content(storage, namespace, "c.txt") == b"c"
        assert await content(storage, other, "b.txt") == b"a"
        assert (await storage.move(namespace, "c.txt", other, "b.txt", on_taken=OnTaken.NUMBER)).name == "b (1).txt"
        await storage.move(other, "b (1).txt", other, "b.txt", on_taken=OnTaken.REPLACE)
        assert [file.name for file in await storage.list(other)] == ["b.txt"]
        assert await content(storage, other, "b.txt") == b"c"
        await storage.move(other, "b.txt", other, "b.txt", on_taken=OnTaken.REPLACE)
        assert await content(storage, other, "b.txt") == b"c"

    async def test_names_are_numbered(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: before the extension, and within the length that a name may have."""
        for name, expected in (
            ("a.txt", "a (1).txt"),
            ("a", "a (1)"),
            (".env", ".env (1)"),
            ("a.tar.gz", "a.tar (1).gz"),
            ("a" * 251 + ".txt", "a" * 247 + " (1).txt"),
            ("ä" * 127, "ä" * 125 + " (1)"),
            ("a." + "b" * 253, "a." + "b" * 249 + " (1)"),
        ):
            await storage.save(namespace, name, b"1")
            numbered = await storage.save(namespace, name, b"2", on_taken=OnTaken.NUMBER)
            assert numbered.name == expected
            assert await content(storage, namespace, expected) == b"2"
            assert await content(storage, namespace, name) == b"1"

    async def test_twenty_saves_of_one_name_at_once(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: numbered, each has a name of its own; refused, one of them has it; replaced, one of them is whole."""
        saves = [
            storage.save(namespace, "n", pieces(bytes([65 + index]) * 9_000), on_taken=OnTaken.NUMBER)
            for index in range(20)
        ]
        names = [info.name for info in await asyncio.gather(*saves)]
        assert len(set(names)) == 20
        assert {(await content(storage, namespace, name))[:1] for name in names} == {bytes([65 + i]) for i in range(20)}
        refused = [storage.save(namespace, "r", bytes([index]), on_taken=OnTaken.REFUSE) for index in range(20)]
        outcomes = await asyncio.gather(*refused, return_exceptions=True)
        assert sum(isinstance(outcome, FileTakenError) for outcome in outcomes) == 19
        await asyncio.gather(*(storage.save(namespace, "p", bytes([index]) * 9_000) for index in range(20)))
        assert len(set(await content(storage, namespace, "p"))) == 1

    async def test_delete_namespace(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-1: it alone, with everything in it; it can be used again."""
        other = Namespace.flow(namespace.owner, uuid.uuid4())
        for name in ("a", "b", "c"):
            await storage.save(namespace, name, b"x")
        await storage.save(other, "a", b"kept")
        assert await storage.delete_namespace(namespace) == 3
        assert await storage.delete_namespace(namespace) == 0
        assert await storage.list(namespace) == []
        assert not await storage.exists(namespace, "a")
        assert await content(storage, other, "a") == b"kept"
        await storage.save(namespace, "a", b"again")
        assert await content(storage, namespace, "a") == b"again"
        await storage.delete_owner(namespace.owner)
        assert await storage.list(namespace) == await storage.list(other) == []
        assert await harness.leftovers() == []

    async def test_namespaces_of_all_owners(self, storage: StorageService, namespace: Namespace) -> None:
        """TASK-4: each once, in pages of any size."""
        flows = [Namespace.flow(namespace.owner, uuid.uuid4()) for _ in range(2)]
        others = [Namespace.user(uuid.uuid4()) for _ in range(3)]
        made = [namespace, *flows, *others]
        for one in made:
            await storage.save(one, "a", b"x")
        for limit in (1, 2, 100):
            found: list[Namespace] = []
            while page := await storage.namespaces(after=found[-1] if found else None, limit=limit):
                assert len(page) <= limit
                found += page
            assert len(found) == len(made)
            assert set(found) == set(made)
        await storage.delete_owner(namespace.owner)
        assert set(await storage.namespaces()) == set(others)

    async def test_saves_while_the_namespace_is_deleted(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-1: each happens before or after the deletion, or says that it did not."""

        async def save(index: int) -> None:
            try:
                await storage.save(namespace, str(index), pieces(b"x" * 10_000))
            except NamespaceDeletedError:
                return

        for _ in range(5):
            await asyncio.gather(
                *(save(index) for index in range(10)), *(storage.delete_namespace(namespace) for _ in range(3))
            )
        for file in await storage.list(namespace):
            assert await content(storage, namespace, file.name) == b"x" * 10_000
        await storage.delete_namespace(namespace)
        assert await harness.leftovers() == []

    async def test_what_is_no_bytes_is_refused(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-1: by a typed error, and nothing is left."""

        async def texts() -> object:
            yield b"fine"
            yield "text"

        for data in ("text", None, 5, [b"a"], texts()):
            with pytest.raises(UploadSourceError):
                await storage.save(namespace, "a", data)  # type: ignore[arg-type]
        assert await storage.list(namespace) == []
