"""STO-3: how much the files of one user may take up."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.storage import (
    FileTakenError,
    Namespace,
    OnTaken,
    QuotaExceededError,
    StorageService,
    StoredFileNotFoundError,
)
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content, pieces

__all__ = ["Quotas"]

_QUOTA = 20_000
_NAMES = st.sampled_from(("a", "b"))
_PLACES = st.integers(0, 2)
_STEPS = st.one_of(
    st.tuples(st.just("save"), _PLACES, _NAMES, st.integers(0, 12_000), st.sampled_from(OnTaken), st.booleans()),
    st.tuples(st.sampled_from(("copy", "move")), _PLACES, _NAMES, _PLACES, _NAMES, st.sampled_from(OnTaken)),
    st.tuples(st.just("delete"), _PLACES, _NAMES),
    st.tuples(st.just("delete_namespace"), _PLACES),
    st.tuples(st.just("delete_owner")),
)


class Quotas(Capabilities):
    """STO-3."""

    @pytest.fixture
    async def limited(self, harness: StorageHarness) -> StorageService:
        """A storage with a quota, and small chunks."""
        return await harness.storage(quota_bytes=_QUOTA, chunk_bytes=4096, max_file_bytes=1024 * 1024)

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_over_quota_at_the_last_byte(
        self, streamed: bool, limited: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3: the quota itself can be used up; one byte more is refused, and nothing of the file is left."""
        other = Namespace.flow(namespace.owner, uuid.uuid4())

        async def save(where: Namespace, name: str, size: int) -> None:
            await limited.save(where, name, pieces(b"x" * size) if streamed else b"x" * size)

        await save(namespace, "a", 15_000)
        with pytest.raises(QuotaExceededError, match="QUOTA_BYTES"):
            await save(other, "b", 5_001)
        assert await limited.list(other) == []
        assert await harness.leftovers() == []
        await save(other, "b", 5_000)
        usage = await limited.usage(namespace.owner)
        assert (usage.bytes, usage.files, usage.quota) == (_QUOTA, 2, _QUOTA)
        with pytest.raises(QuotaExceededError):
            await save(namespace, "c", 1)
        await save(namespace, "empty", 0)
        await save(Namespace.user(uuid.uuid4()), "of somebody else", _QUOTA)

    async def test_an_upload_is_given_up_as_soon_as_it_cannot_fit(
        self, limited: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3: not when all of it has come."""
        await limited.save(namespace, "a", b"x" * 15_000)
        taken = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal taken
            while True:
                taken += 1
                yield b"x" * 1_000

        with pytest.raises(QuotaExceededError):
            await limited.save(namespace, "b", endless())
        assert taken == 6
        assert await harness.leftovers() == []

    async def test_a_file_in_the_place_of_another_needs_the_difference(
        self, limited: StorageService, namespace: Namespace
    ) -> None:
        """STO-3: also a larger one, where only one of the two fits."""
        for size in (15_000, 19_000, 3_000, 20_000):
            await limited.save(namespace, "a", pieces(b"x" * size))
            assert (await limited.usage(namespace.owner)).bytes == size
            await limited.save(namespace, "a", b"y" * size)
            assert (await limited.usage(namespace.owner)).bytes == size
        with pytest.raises(QuotaExceededError):
            await limited.save(namespace, "a", b"z" * (_QUOTA + 1))
        assert await content(limited, namespace, "a") == b"y" * 20_000

    async def test_what_goes_makes_room(self, limited: StorageService, namespace: Namespace) -> None:
        """STO-3: a deleted file, a deleted namespace, a file moved to somebody else."""
        other, friend = Namespace.flow(namespace.owner, uuid.uuid4()), Namespace.user(uuid.uuid4())
        for gone in (
            lambda: limited.delete(namespace, "a"),
            lambda: limited.delete_namespace(namespace),
            lambda: limited.move(namespace, "a", friend, "a"),
        ):
            await limited.save(namespace, "a", b"x" * _QUOTA)
            with pytest.raises(QuotaExceededError):
                await limited.save(other, "b", b"x")
            await gone()
            assert (await limited.usage(namespace.owner)).bytes == 0
            await limited.save(other, "b", b"x")
            await limited.delete(other, "b")
        with pytest.raises(QuotaExceededError):
            await limited.copy(friend, "a", friend, "b")
        await limited.save(namespace, "b", b"x")
        with pytest.raises(QuotaExceededError):
            await limited.move(namespace, "b", friend, "b")
        assert await content(limited, namespace, "b") == b"x"

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_uploads_at_once_never_exceed_it(
        self, streamed: bool, limited: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3: through two storages over the same files; as many are saved as fit, and no other is left."""
        second = await harness.storage(quota_bytes=_QUOTA, chunk_bytes=4096)

        async def save(index: int) -> bool:
            data = bytes([index]) * 3_000
            storage = (limited, second)[index % 2]
            try:
                await storage.save(namespace, str(index), pieces(data) if streamed else data)
            except QuotaExceededError:
                return False
            return True

        outcomes = await asyncio.gather(*(save(index) for index in range(20)))
        assert sum(outcomes) == 6
        assert len(await limited.list(namespace)) == 6
        usage = await second.usage(namespace.owner)
        assert (usage.bytes, usage.files) == (18_000, 6)
        assert await harness.leftovers() == []

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(steps=st.lists(_STEPS, max_size=10))
    async def test_the_sum_is_that_of_the_files(
        self, steps: Sequence[tuple[object, ...]], limited: StorageService
    ) -> None:
        """STO-3: after any sequence of changes, refused ones included, in three namespaces of two owners."""
        owner = uuid.uuid4()
        places = (Namespace.user(owner), Namespace.flow(owner, uuid.uuid4()), Namespace.user(uuid.uuid4()))
        for step in steps:
            await _change(limited, places, step)
            for who in {place.owner for place in places}:
                files = [file for place in places if place.owner == who for file in await limited.list(place)]
                usage = await limited.usage(who)
                assert (usage.bytes, usage.files) == (sum(file.size for file in files), len(files)), step
                assert usage.bytes <= _QUOTA

    async def test_a_change_cancelled_anywhere_is_counted(self, limited: StorageService, namespace: Namespace) -> None:
        """ALL-1: as it happened."""

        async def work() -> None:
            await limited.save(namespace, "a", pieces(b"x" * 9_000), on_taken=OnTaken.REFUSE)
            await limited.save(namespace, "a", b"x" * 5_000)
            await limited.copy(namespace, "a", namespace, "b")
            await limited.move(namespace, "a", namespace, "b", on_taken=OnTaken.REPLACE)
            await limited.delete(namespace, "b")

        async def check(_cancelled: bool) -> None:
            files = await limited.list(namespace)
            usage = await limited.usage(namespace.owner)
            assert (usage.bytes, usage.files) == (sum(file.size for file in files), len(files))
            await limited.delete_namespace(namespace)

        await cancel_at_every_await(work, check)

    async def test_usage_without_a_quota(
        self, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-3: is what there is; a quota that is set later counts what was saved before."""
        await storage.save(namespace, "a", b"x" * 15_000)
        await storage.save(Namespace.flow(namespace.owner, uuid.uuid4()), "b", b"x" * 1_000)
        usage = await storage.usage(namespace.owner)
        assert (usage.bytes, usage.files, usage.quota) == (16_000, 2, None)
        assert (await storage.usage(uuid.uuid4())).bytes == 0
        limited = await harness.storage(quota_bytes=_QUOTA)
        with pytest.raises(QuotaExceededError):
            await limited.save(namespace, "c", b"x" * 4_001)
        await limited.save(namespace, "c", b"x" * 4_000)
        await storage.save(namespace, "a", b"x" * 20_000)
        assert (await limited.usage(namespace.owner)).bytes == 25_000
        with pytest.raises(QuotaExceededError):
            await limited.save(namespace, "d", b"x")
        await limited.save(namespace, "a", b"x" * 10_000)
        assert (await limited.usage(namespace.owner)).bytes == 15_000


async def _change(storage: StorageService, places: Sequence[Namespace], step: tuple[object, ...]) -> None:
    try:
        match step:
            case "save", int(place), str(name), int(size), OnTaken() as on_taken, streamed:
                data = b"x" * size
                source = pieces(data) if streamed else data
                await storage.save(places[place], name, source, on_taken=on_taken)
            case ("copy" | "move") as how, int(place), str(name), int(to), str(new), OnTaken() as on_taken:
                await getattr(storage, how)(places[place], name, places[to], new, on_taken=on_taken)
            case "delete", int(place), str(name):
                await storage.delete(places[place], name)
            case "delete_namespace", int(place):
                await storage.delete_namespace(places[place])
            case _:
                await storage.delete_owner(places[0].owner)
    except (FileTakenError, QuotaExceededError, StoredFileNotFoundError):
        return
