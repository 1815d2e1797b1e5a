"""STORE-2: versions that never change, with digests; yanked ones."""

import asyncio
import uuid

import pytest

from bedplate.services.store import (
    Changes,
    InvalidComponentError,
    StoreService,
    VersionExistsError,
    VersionNotFoundError,
    VersionYankedError,
    Which,
)
from bedplate.wiring.testing.store.harness import Capabilities, flow, named

__all__ = ["Versions"]


class Versions(Capabilities):
    """STORE-2."""

    @pytest.fixture(autouse=True)
    def _needs_versions(self) -> None:
        self.require("versions")

    async def test_another_document_is_another_version(
        self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID
    ) -> None:
        """STORE-2: the old one stays as it was; the same document is no new version, whatever its order."""
        first = await store.publish(ann, named("x", data=flow("one")))
        second = await store.update(ann, first.id, Changes(data=flow("two"), last_tested_version="1.7"))
        reordered = dict(reversed(flow("two").items()))
        same = await store.update(ann, first.id, Changes(data=reordered, description="changed"))
        assert [component.version for component in (first, second, same)] == ["1.0.0", "1.0.1", "1.0.1"]
        assert first.digest != second.digest == same.digest
        listed = await store.versions(ben, first.id)
        assert [version.version for version in listed] == ["1.0.1", "1.0.0"]
        assert [version.digest for version in listed] == [second.digest, first.digest]
        assert [version.last_tested_version for version in listed] == ["1.7", None]
        assert (await store.download(ben, first.id)).data == flow("two")
        for which in (
            Which(version="1.0.0"),
            Which(digest=first.digest),
            Which(version="1.0.0", digest=first.digest),
        ):
            got = await store.download(ben, first.id, which)
            assert (got.data, got.version, got.digest) == (flow("one"), "1.0.0", first.digest)

    async def test_numbers_of_ones_own(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: semantic versions; the highest final one is the newest, whenever it was published."""
        made = await store.publish(ann, named("x", version="2.0.0-beta.2"))
        assert made.version == "2.0.0-beta.2"
        for number, newest in (("2.0.0-beta.10", "2.0.0-beta.10"), ("1.9.0", "1.9.0"), ("2.0.0", "2.0.0"),
                               ("1.10.0", "2.0.0"), ("3.0.0-rc.1", "2.0.0"), (None, "3.0.1")):  # fmt: skip
            made = await store.update(ann, made.id, Changes(data=flow(str(number)), version=number))
            assert made.version == newest, number
        numbers = [version.version for version in await store.versions(ann, made.id)]
        assert numbers == [
            "3.0.1", "3.0.0-rc.1", "2.0.0", "2.0.0-beta.10", "2.0.0-beta.2", "1.10.0", "1.9.0",
        ]  # fmt: skip

    async def test_a_version_never_changes(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: its number cannot be used again, not even once it is yanked."""
        made = await store.publish(ann, named("x", data=flow("one"), version="1.0.0"))
        for _ in range(2):
            with pytest.raises(VersionExistsError):
                await store.update(ann, made.id, Changes(data=flow("two"), version="1.0.0", name="y"))
            await store.yank(ann, made.id, "1.0.0")
        assert (await store.get(ann, made.id)).name == "x"
        got = await store.download(ann, made.id, Which(yanked=True))
        assert (got.data, got.version) == (flow("one"), "1.0.0")

    async def test_yanked(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: nobody gets it who does not name its digest or insist; the one before is the newest again."""
        made = await store.publish(ann, named("x", data=flow("one")))
        bad = await store.update(ann, made.id, Changes(data=flow("two")))
        yanked = await store.yank(ann, made.id, "1.0.1", "it loses messages")
        assert yanked.yanked_at is not None
        assert await store.yank(ann, made.id, "1.0.1", "another reason") == yanked
        assert (await store.get(ben, made.id)).version == "1.0.0"
        assert (await store.download(ben, made.id)).data == flow("one")
        with pytest.raises(VersionYankedError, match="it loses messages"):
            await store.download(ben, made.id, Which(version="1.0.1"))
        for which in (Which(digest=bad.digest), Which(version="1.0.1", yanked=True)):
            got = await store.download(ben, made.id, which)
            assert (got.data, got.yanked, got.yank_reason) == (flow("two"), True, "it loses messages")
        restored = await store.restore(ann, made.id, "1.0.1")
        assert (restored.yanked_at, restored.yank_reason) == (None, None)
        assert (await store.download(ben, made.id)).data == flow("two")

    async def test_everything_yanked(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: it is still listed, and says so; a new version puts it right."""
        made = await store.publish(ann, named("x"))
        await store.yank(ann, made.id, "1.0.0")
        assert (await store.get(ben, made.id)).version is None
        with pytest.raises(VersionYankedError):
            await store.download(ben, made.id)
        renewed = await store.update(ann, made.id, Changes(data=flow("x")))
        assert renewed.version == "1.0.1"
        await store.download(ben, made.id)

    async def test_what_is_not_there(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: versions and digests that no version has."""
        made = await store.publish(ann, named("x"))
        for which in (
            Which(version="9.9.9"),
            Which(digest="0" * 64),
            Which(version="1.0.0", digest="0" * 64),
            Which(version="nonsense", yanked=True),
        ):
            with pytest.raises(VersionNotFoundError):
                await store.download(ben, made.id, which)
        for call in (store.yank(ann, made.id, "9.9.9"), store.restore(ann, made.id, "9.9.9")):
            with pytest.raises(VersionNotFoundError):
                await call
        with pytest.raises(InvalidComponentError):
            await store.yank(ann, made.id, "1.0.0", "x" * 1_001)

    async def test_updates_at_once(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: each becomes a version of its own."""
        made = await store.publish(ann, named("x"))
        await asyncio.gather(*(store.update(ann, made.id, Changes(data=flow(f"n{n}"))) for n in range(6)))
        versions = await store.versions(ann, made.id)
        assert [version.version for version in versions] == [f"1.0.{n}" for n in range(6, -1, -1)]
        assert len({version.digest for version in versions}) == 7
