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
from bedplate.wiring.testing.store.harness import Capabilities, StoreHarness, flow, named

__all__ = ["Versions"]


class Versions(Capabilities):
    """STORE-2."""

    @pytest.fixture
    async def versioned(self, harness: StoreHarness) -> StoreService:
        """A store, where it keeps versions."""
        self.require("versions")
        return await harness.store()

    async def test_another_document_is_another_version(
        self, versioned: StoreService, ann: uuid.UUID, ben: uuid.UUID
    ) -> None:
        """STORE-2: the old one stays as it was; the same document is no new version, whatever its order."""
        first = await versioned.publish(ann, named("x", data=flow("one")))
        second = await versioned.update(ann, first.id, Changes(data=flow("two"), last_tested_version="1.7"))
        reordered = dict(reversed(flow("two").items()))
        same = await versioned.update(ann, first.id, Changes(data=reordered, description="changed"))
        assert [component.version for component in (first, second, same)] == ["1.0.0", "1.0.1", "1.0.1"]
        assert first.digest != second.digest == same.digest
        listed = await versioned.versions(ben, first.id)
        assert [version.version for version in listed] == ["1.0.1", "1.0.0"]
        assert [version.digest for version in listed] == [second.digest, first.digest]
        assert [version.last_tested_version for version in listed] == ["1.7", None]
        assert (await versioned.download(ben, first.id)).data == flow("two")
        for which in (
            Which(version="1.0.0"),
            Which(digest=first.digest),
            Which(version="1.0.0", digest=first.digest),
        ):
            got = await versioned.download(ben, first.id, which)
            assert (got.data, got.version, got.digest) == (flow("one"), "1.0.0", first.digest)

    async def test_numbers_of_ones_own(self, versioned: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: semantic versions; the highest final one is the newest, whenever it was published."""
        made = await versioned.publish(ann, named("x", version="2.0.0-beta.2"))
        assert made.version == "2.0.0-beta.2"
        for number, newest in (("2.0.0-beta.10", "2.0.0-beta.10"), ("1.9.0", "1.9.0"), ("2.0.0", "2.0.0"),
                               ("1.10.0", "2.0.0"), ("3.0.0-rc.1", "2.0.0"), (None, "3.0.1")):  # fmt: skip
            made = await versioned.update(ann, made.id, Changes(data=flow(str(number)), version=number))
            assert made.version == newest, number
        numbers = [version.version for version in await versioned.versions(ann, made.id)]
        assert numbers == [
            "3.0.1", "3.0.0-rc.1", "2.0.0", "2.0.0-beta.10", "2.0.0-beta.2", "1.10.0", "1.9.0",
        ]  # fmt: skip

    async def test_a_version_never_changes(self, versioned: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: its number cannot be used again, not even once it is yanked."""
        made = await versioned.publish(ann, named("x", data=flow("one"), version="1.0.0"))
        for _ in range(2):
            with pytest.raises(VersionExistsError):
                await versioned.update(ann, made.id, Changes(data=flow("two"), version="1.0.0", name="y"))
            await versioned.yank(ann, made.id, "1.0.0")
        assert (await versioned.get(ann, made.id)).name == "x"
        got = await versioned.download(ann, made.id, Which(yanked=True))
        assert (got.data, got.version) == (flow("one"), "1.0.0")

    async def test_yanked(self, versioned: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: nobody gets it who does not name its digest or insist; the one before is the newest again."""
        made = await versioned.publish(ann, named("x", data=flow("one")))
        bad = await versioned.update(ann, made.id, Changes(data=flow("two")))
        yanked = await versioned.yank(ann, made.id, "1.0.1", "it loses messages")
        assert yanked.yanked_at is not None
        assert await versioned.yank(ann, made.id, "1.0.1", "another reason") == yanked
        assert (await versioned.get(ben, made.id)).version == "1.0.0"
        assert (await versioned.download(ben, made.id)).data == flow("one")
        with pytest.raises(VersionYankedError, match="it loses messages"):
            await versioned.download(ben, made.id, Which(version="1.0.1"))
        for which in (Which(digest=bad.digest), Which(version="1.0.1", yanked=True)):
            got = await versioned.download(ben, made.id, which)
            assert (got.data, got.yanked, got.yank_reason) == (flow("two"), True, "it loses messages")
        restored = await versioned.restore(ann, made.id, "1.0.1")
        assert (restored.yanked_at, restored.yank_reason) == (None, None)
        assert (await versioned.download(ben, made.id)).data == flow("two")

    async def test_everything_yanked(self, versioned: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: it is still listed, and says so; a new version puts it right."""
        made = await versioned.publish(ann, named("x"))
        await versioned.yank(ann, made.id, "1.0.0")
        assert (await versioned.get(ben, made.id)).version is None
        with pytest.raises(VersionYankedError):
            await versioned.download(ben, made.id)
        renewed = await versioned.update(ann, made.id, Changes(data=flow("x")))
        assert renewed.version == "1.0.1"
        await versioned.download(ben, made.id)

    async def test_what_is_not_there(self, versioned: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-2: versions and digests that no version has."""
        made = await versioned.publish(ann, named("x"))
        for which in (
            Which(version="9.9.9"),
            Which(digest="0" * 64),
            Which(version="1.0.0", digest="0" * 64),
            Which(version="nonsense", yanked=True),
        ):
            with pytest.raises(VersionNotFoundError):
                await versioned.download(ben, made.id, which)
        for call in (versioned.yank(ann, made.id, "9.9.9"), versioned.restore(ann, made.id, "9.9.9")):
            with pytest.raises(VersionNotFoundError):
                await call
        with pytest.raises(InvalidComponentError):
            await versioned.yank(ann, made.id, "1.0.0", "x" * 1_001)

    async def test_updates_at_once(self, versioned: StoreService, ann: uuid.UUID) -> None:
        """STORE-2: each becomes a version of its own."""
        made = await versioned.publish(ann, named("x"))
        await asyncio.gather(*(versioned.update(ann, made.id, Changes(data=flow(f"n{n}"))) for n in range(6)))
        versions = await versioned.versions(ann, made.id)
        assert [version.version for version in versions] == [f"1.0.{n}" for n in range(6, -1, -1)]
        assert len({version.digest for version in versions}) == 7
