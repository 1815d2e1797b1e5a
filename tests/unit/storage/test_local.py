"""STO-1 and STO-2 on the folder of the local backend: what stands there, what is left over, what a disk refuses."""

import asyncio
import contextlib
import gc
import hashlib
import os
import sys
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.storage import (
    FileTooLargeError,
    Namespace,
    StorageAccessError,
    StorageFullError,
    StorageService,
    UnsafeFileError,
)
from bedplate.services.storage.factory import build_storage
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.disk import no_file_larger_than
from bedplate.wiring.testing.storage.harness import content, pieces

MIB = 1024 * 1024


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def _swept(storage: StorageService) -> None:
    await asyncio.wait([storage._store._sweeping])  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", ["../../../secret", "/etc/hostname", "inside"])
async def test_links_are_neither_read_nor_listed(
    target: str, storage: StorageService, namespace: Namespace, folder: Path
) -> None:
    """STO-2: out of the root, or to a file beside it."""
    (folder.parents[2] / "secret").write_text("secret")
    await storage.save(namespace, "inside", b"x")
    (folder / "link").symlink_to(target)
    for call in (
        storage.open(namespace, "link"),
        storage.read(namespace, "link", max_bytes=100),
        storage.stat(namespace, "link"),
        storage.exists(namespace, "link"),
        storage.copy(namespace, "link", namespace, "b"),
        storage.move(namespace, "link", namespace, "b"),
        storage.delete(namespace, "link"),
    ):
        with pytest.raises(UnsafeFileError):
            await call
    assert [file.name for file in await storage.list(namespace)] == ["inside"]
    await storage.save(namespace, "link", b"in its place")
    assert await content(storage, namespace, "link") == b"in its place"
    assert (folder.parents[2] / "secret").read_text() == "secret"
    assert await content(storage, namespace, "inside") == b"x"


@pytest.mark.parametrize("level", [0, 1])
async def test_folders_that_are_links_are_not_entered(
    level: int, storage: StorageService, namespace: Namespace, folder: Path, tmp_path: Path
) -> None:
    """STO-2: neither that of the owner nor that of the namespace."""
    outside = tmp_path / "outside"
    (outside / folder.name).mkdir(parents=True)
    place = [folder, folder.parent][level]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    (outside / "a").write_text("secret")
    (outside / folder.name / "a").write_text("secret")
    for call in (
        storage.save(namespace, "b", b""),
        storage.open(namespace, "a"),
        storage.list(namespace),
        storage.delete_namespace(namespace),
    ):
        with pytest.raises(UnsafeFileError):
            await call
    assert (outside / "a").read_text() == (outside / folder.name / "a").read_text() == "secret"
    assert not (outside / "b").exists()


async def test_what_is_no_file_is_not_waited_for(storage: StorageService, namespace: Namespace, folder: Path) -> None:
    """STO-2: a pipe without a writer, a folder."""
    await storage.save(namespace, "a", b"")
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    for name in ("pipe", "folder"):
        for call in (storage.open(namespace, name), storage.stat(namespace, name), storage.delete(namespace, name)):
            with pytest.raises(UnsafeFileError):
                await asyncio.wait_for(call, 20)
    with pytest.raises(UnsafeFileError):
        await storage.save(namespace, "folder", b"")
    assert [file.name for file in await storage.list(namespace)] == ["a"]


async def test_files_are_readable_by_nobody_else(storage: StorageService, namespace: Namespace, folder: Path) -> None:
    """STO-1: neither they nor the folders that they lie in."""
    await storage.save(namespace, "a", b"")
    modes = [path.stat().st_mode & 0o777 for path in (folder / "a", folder, folder.parent, folder.parents[1])]
    assert modes == [0o600, 0o700, 0o700, 0o700]


async def test_a_disk_that_is_full_in_the_middle_of_a_save(
    storage: StorageService, namespace: Namespace, folder: Path
) -> None:
    """STO-1: a typed error, nothing half-written, what was there before as it was, and no path in the text."""
    await storage.save(namespace, "a", b"old")
    with no_file_larger_than(3 * MIB):
        for data in (b"x" * 4 * MIB, pieces(b"x" * 4 * MIB, 65536)):
            with pytest.raises(StorageFullError, match="no space is left") as caught:
                await storage.save(namespace, "a", data)
            assert str(folder) not in str(caught.value)
            assert _names(folder) == ["a"]
    assert await content(storage, namespace, "a") == b"old"
    await storage.save(namespace, "a", b"new" * 2 * MIB)


_HALF = """
import asyncio, sys, uuid
from pathlib import Path
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.storage.local import LocalFiles
from bedplate.services.storage.models import Namespace

async def main():
    workers = Workers()
    await workers.start()
    files = LocalFiles(Path(sys.argv[1]), workers, threads=1, low_space=0, reserved=0)
    await files.start()
    owner = uuid.UUID(sys.argv[2])
    upload = files.upload(Namespace.user(owner))
    await upload.write([b"half"])
    print("written", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(
    storage: StorageService, namespace: Namespace, folder: Path
) -> None:
    """STO-1: uploads that were cut off, and namespaces that were half deleted."""
    await storage.save(namespace, "a", b"kept")
    command = [sys.executable, "-c", _HALF, str(folder.parents[1]), str(namespace.owner)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"written\n"
        assert len(_names(folder)) == 2
        await storage.stop()
        await storage.start()
        await _swept(storage)
        assert len(_names(folder)) == 2
    finally:
        process.kill()
        await process.wait()
    (folder.parent / ".gone-1").mkdir()
    (folder.parent / ".gone-1" / "b").write_text("b")
    await storage.stop()
    await storage.start()
    await _swept(storage)
    assert _names(folder) == ["a"]
    assert _names(folder.parent) == [folder.name]


async def test_no_descriptor_is_left_open(storage: StorageService, namespace: Namespace) -> None:
    """STO-1: by any method, by readers that leave early or never begin, by uploads that fail."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 10_000
        raise ConnectionResetError

    async def everything() -> None:
        await storage.save(namespace, "a", b"x" * 3 * MIB)
        await storage.save(namespace, "a", pieces(b"x" * 3 * MIB, 65536))
        await storage.copy(namespace, "a", namespace, "b")
        await storage.move(namespace, "b", namespace, "c")
        await storage.stat(namespace, "c")
        async for _ in await storage.open(namespace, "c"):
            break
        await storage.open(namespace, "c")
        with contextlib.suppress(ConnectionResetError):
            await storage.save(namespace, "d", broken())
        with contextlib.suppress(FileTooLargeError):
            await storage.read(namespace, "c", max_bytes=1)
        await storage.delete_namespace(namespace)

    async def descriptors() -> int:
        gc.collect()
        await asyncio.sleep(0)
        return len(_names(Path("/proc/self/fd")))

    await everything()
    before = await descriptors()
    for _ in range(5):
        await everything()
    # The last reader that was left early may be about to be closed.
    assert await descriptors() <= before + 1


async def test_memory_is_bounded(storage: StorageService, namespace: Namespace) -> None:
    """STO-1: 128 MiB in and out with a few chunks of it in memory."""
    piece = os.urandom(64 * 1024)

    async def source() -> AsyncIterator[bytes]:
        for _ in range(2048):
            yield bytes(bytearray(piece))

    digest = hashlib.sha256()
    tracemalloc.start()
    try:
        saved = await storage.save(namespace, "large", source())
        async with await storage.open(namespace, "large") as file:
            async for chunk in file:
                digest.update(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert saved.size == 128 * MIB
    assert saved.sha256 == digest.hexdigest()
    assert peak < 16 * MIB


async def test_the_memory_of_an_archive_is_bounded(storage: StorageService, namespace: Namespace) -> None:
    """STO-3: 96 MiB in three files with a few chunks of it in memory."""
    piece = os.urandom(64 * 1024)

    async def source() -> AsyncIterator[bytes]:
        for _ in range(512):
            yield bytes(bytearray(piece))

    for name in "abc":
        await storage.save(namespace, name, source())
    size = 0
    tracemalloc.start()
    try:
        async for chunk in storage.archive((name, namespace, name) for name in "abc"):
            size += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 96 * MIB
    assert peak < 16 * MIB


async def test_a_digest_that_is_not_recorded_or_out_of_date_is_computed(
    storage: StorageService, namespace: Namespace, folder: Path
) -> None:
    """STO-1: for files that an operator put there, or changed."""
    await storage.save(namespace, "a", b"before")
    (folder / "a").write_bytes(b"after!")
    (folder / "b").write_bytes(b"b")
    for name, data in (("a", b"after!"), ("b", b"b")):
        assert (await storage.stat(namespace, name)).sha256 == hashlib.sha256(data).hexdigest()
        async with await storage.open(namespace, name) as file:
            assert file.info.sha256 is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "text/plain"),
        ("a.TXT", "text/plain"),
        ("a.svg", "image/svg+xml"),
        ("a.tar.gz", "application/gzip"),
        ("a.md", "text/markdown"),
        ("data:text,a.png", "image/png"),
        ("a", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
    ],
)
async def test_content_types(name: str, expected: str, storage: StorageService, namespace: Namespace) -> None:
    """STO-1: by the extension alone."""
    assert (await storage.save(namespace, name, b"<svg>")).content_type == expected


async def test_a_disk_that_is_almost_full_is_said(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
) -> None:
    """ALL-1: health tells before saves fail."""
    values = {"low_space_bytes": 2**60}
    little = SettingsService(profile="test", data_dir=settings.values.data_dir, storage=values)
    service = build_storage(little, telemetry, database, keyring, workers)
    await service.start()
    health = await service.health()
    assert health.status == "degraded"
    assert "bytes of the disk are free" in (health.reason or "")
    await service.stop()


async def test_the_rest_of_the_disk_is_not_for_files(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    folder: Path,
) -> None:
    """STO-1: who may not save any more may still delete."""
    values = {"reserved_bytes": 2**60}
    full = SettingsService(profile="test", data_dir=settings.values.data_dir, storage=values)
    service = build_storage(full, telemetry, database, keyring, workers)
    await service.start()
    namespace = Namespace.user(uuid.uuid4())
    for data in (b"x", pieces(b"x" * MIB, 4096)):
        with pytest.raises(StorageFullError):
            await service.save(namespace, "a", data)
    assert await service.list(namespace) == []
    await service.stop()


async def test_a_folder_that_cannot_be_made_is_a_configuration_error(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
) -> None:
    """ALL-3: at start, by name."""
    (settings.values.data_dir / "files").write_text("in the way")
    service = build_storage(settings, telemetry, database, keyring, workers)
    with pytest.raises(StorageAccessError, match="is not a folder"):
        await service.start()
