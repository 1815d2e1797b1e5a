"""STO-3: what is kept with a file."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.storage import FileChangedError, FileMetadataError, Metadata, Namespace, OnTaken, StorageService
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content, pieces

__all__ = ["FileMetadata"]

_VALUES = st.one_of(
    st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, width=64), st.booleans()
)


class FileMetadata(Capabilities):
    """STO-3."""

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(metadata=st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9_-]{0,15}\Z"), _VALUES, max_size=8))
    async def test_what_is_kept_comes_back(
        self, metadata: dict[str, Any], storage: StorageService, namespace: Namespace
    ) -> None:
        """STO-3: equal and of the same types, from save, stat and open."""
        saved = await storage.save(namespace, "a", b"x", metadata=metadata)
        streamed = await storage.save(namespace, "b", pieces(b"x" * 5_000), metadata=metadata)
        async with await storage.open(namespace, "b") as file:
            found = [saved.metadata, streamed.metadata, file.info.metadata]
        found.append((await storage.stat(namespace, "a")).metadata)
        for kept in found:
            assert kept == metadata
            assert {name: type(value) for name, value in kept.items()} == {
                name: type(value) for name, value in metadata.items()
            }

    async def test_it_goes_where_the_file_goes(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: with copies and moves; a save in its place brings its own."""
        kept: Metadata = {"source": "upload", "pages": 3}
        await storage.save(namespace, "a", b"x", metadata=kept)
        assert (await storage.copy(namespace, "a", namespace, "b")).metadata == kept
        await storage.move(namespace, "b", namespace, "c")
        assert (await storage.stat(namespace, "c")).metadata == kept
        await storage.save(namespace, "a", b"y")
        assert (await storage.stat(namespace, "a")).metadata == {}
        await storage.copy(namespace, "a", namespace, "c", on_taken=OnTaken.REPLACE)
        assert (await storage.stat(namespace, "c")).metadata == {}

    async def test_it_can_be_changed(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: as a whole, under a condition if wanted; content and validator stay."""
        saved = await storage.save(namespace, "a", b"x", metadata={"a": 1, "b": True})
        changed = await storage.set_metadata(namespace, "a", {"c": 1.5}, if_match=saved.etag)
        assert (changed.metadata, changed.etag, changed.sha256) == ({"c": 1.5}, saved.etag, saved.sha256)
        with pytest.raises(FileChangedError):
            await storage.set_metadata(namespace, "a", {}, if_match='"other"')
        assert (await storage.stat(namespace, "a")).metadata == {"c": 1.5}
        await storage.set_metadata(namespace, "a", {})
        assert (await storage.stat(namespace, "a")).metadata == {}
        assert await content(storage, namespace, "a") == b"x"

    async def test_it_survives_a_restart(self, harness: StorageHarness, namespace: Namespace) -> None:
        """STO-3: with the file."""
        self.require("survives_restart")
        first = await harness.storage()
        await first.save(namespace, "a", b"x", metadata={"kept": True})
        await first.stop()
        assert (await (await harness.storage()).stat(namespace, "a")).metadata == {"kept": True}

    async def test_what_cannot_be_kept_is_refused(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-3: by an error that says why; nothing is saved."""
        await storage.save(namespace, "old", b"x", metadata={"a": 1})
        for wrong in (
            {"a": None},
            {"a": [1]},
            {"a": b"x"},
            {"A": 1},
            {"": 1},
            {"1a": 1},
            {"a" * 65: 1},
            {1: 1},
            {"a": 2**64},
            {"a": "\ud800"},
            {"a": "x" * 2_048},
            {f"a{number}": "x" * 100 for number in range(25)},
            "text",
            5,
        ):
            with pytest.raises(FileMetadataError):
                await storage.save(namespace, "a", b"x", metadata=wrong)  # type: ignore[arg-type]
            with pytest.raises(FileMetadataError):
                await storage.set_metadata(namespace, "old", wrong)  # type: ignore[arg-type]
        assert [file.name for file in await storage.list(namespace)] == ["old"]
        assert (await storage.stat(namespace, "old")).metadata == {"a": 1}
