"""The list of files of a user: names, owners, limits."""

import asyncio
import uuid

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import InvalidInputError
from bedplate.services.settings import SettingsService
from bedplate.services.storage import (
    FileNameError,
    FileTakenError,
    Namespace,
    StorageService,
    StoredFileNotFoundError,
    TooManyFilesError,
)
from bedplate.services.storage.factory import build_storage
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.storage.harness import pieces


async def _names(storage: StorageService, user_id: uuid.UUID) -> list[str]:
    return [file.name for file in await storage.list(Namespace.user(user_id))]


async def test_a_file_is_added_read_and_deleted(storage: StorageService, user_id: uuid.UUID) -> None:
    """STO-1: with the name, without extension, the path, with it, and the size."""
    file = await storage.files.add(user_id, "report.txt", pieces(b"text" * 1000))
    assert (file.name, file.path, file.size, file.provider) == ("report", f"{user_id}/report.txt", 4000, "local")
    assert file.filename == "report.txt"
    assert await storage.files.get(user_id, file.id) == file
    assert await storage.files.list(user_id) == [file]
    async with await storage.files.open(file) as opened:
        assert b"".join([chunk async for chunk in opened]) == b"text" * 1000
    assert await storage.files.delete(user_id, [file.id, uuid.uuid4()]) == [file]
    assert await storage.files.list(user_id) == []
    assert await _names(storage, user_id) == []
    with pytest.raises(StoredFileNotFoundError):
        await storage.files.get(user_id, file.id)


async def test_names_are_unique_whatever_the_extension(storage: StorageService, user_id: uuid.UUID) -> None:
    """STO-3: "a (1).txt", and never the same twice, also at once."""
    made = [await storage.files.add(user_id, name, b"") for name in ("a.txt", "a.txt", "a.pdf", "a%.txt", "ab.txt")]
    assert [file.name for file in made] == ["a", "a (1)", "a (2)", "a%", "ab"]
    assert [file.filename for file in made[:3]] == ["a.txt", "a (1).txt", "a (2).pdf"]
    at_once = await asyncio.gather(*(storage.files.add(user_id, "b.txt", bytes([i])) for i in range(10)))
    assert len({file.name for file in at_once}) == len({file.path for file in at_once}) == 10


async def test_a_rename_keeps_the_stored_file(storage: StorageService, user_id: uuid.UUID) -> None:
    """STO-1: the new name with the old extension is what a download is called."""
    file = await storage.files.add(user_id, "a.txt", b"a")
    other = await storage.files.add(user_id, "b.txt", b"b")
    renamed = await storage.files.rename(user_id, file.id, "c")
    assert (renamed.name, renamed.path, renamed.filename) == ("c", file.path, "c.txt")
    with pytest.raises(FileTakenError):
        await storage.files.rename(user_id, other.id, "c")
    for name in ("../c", "", "c" * 252):
        with pytest.raises(FileNameError):
            await storage.files.rename(user_id, other.id, name)
    assert (await storage.files.get(user_id, other.id)).name == "b"


async def test_another_users_files_do_not_exist(
    storage: StorageService, user_id: uuid.UUID, other_id: uuid.UUID
) -> None:
    """ALL-4: by no method."""
    file = await storage.files.add(user_id, "a.txt", b"a")
    with pytest.raises(StoredFileNotFoundError):
        await storage.files.get(other_id, file.id)
    with pytest.raises(StoredFileNotFoundError):
        await storage.files.rename(other_id, file.id, "b")
    assert await storage.files.list(other_id) == []
    assert await storage.files.get_many(other_id, [file.id]) == []
    assert await storage.files.delete(other_id, [file.id]) == []
    assert await storage.files.delete_all(other_id) == []
    assert await storage.files.list(user_id) == [file]
    assert (await storage.files.add(other_id, "a.txt", b"")).name == "a"


async def test_limits(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    user_id: uuid.UUID,
) -> None:
    """ALL-6: how many files a user has, and how many one call takes."""
    values = {"max_files_per_user": 2, "max_batch": 2}
    few = SettingsService(profile="test", data_dir=settings.values.data_dir, storage=values)
    storage = build_storage(few, telemetry, database, keyring, workers)
    await storage.start()
    for _ in range(2):
        await storage.files.add(user_id, "a.txt", b"")
    with pytest.raises(TooManyFilesError, match="MAX_FILES_PER_USER"):
        await storage.files.add(user_id, "a.txt", b"")
    assert len(await _names(storage, user_id)) == 2
    with pytest.raises(InvalidInputError, match="MAX_BATCH"):
        await storage.files.delete(user_id, [uuid.uuid4() for _ in range(3)])
    assert len(await storage.files.delete_all(user_id)) == 2
    await storage.stop()


async def test_a_user_that_is_gone_leaves_no_file(storage: StorageService) -> None:
    """STO-1: what cannot be put into the list is not kept either."""
    nobody = uuid.uuid4()
    with pytest.raises(Exception, match="not there"):
        await storage.files.add(nobody, "a.txt", b"a")
    assert await _names(storage, nobody) == []


async def test_adding_and_deleting_cancelled_anywhere(storage: StorageService, user_id: uuid.UUID) -> None:
    """ALL-1: what is in the list is in the storage, and nothing else is."""

    async def work() -> None:
        file = await storage.files.add(user_id, "a.txt", pieces(b"x" * 5000))
        await storage.files.delete(user_id, [file.id])

    async def check(_cancelled: bool) -> None:
        listed = [file.stored_name for file in await storage.files.list(user_id)]
        assert await _names(storage, user_id) == listed
        await storage.files.delete_all(user_id)

    await cancel_at_every_await(work, check)
