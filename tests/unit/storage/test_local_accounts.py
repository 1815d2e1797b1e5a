"""STO-3 in the folder of the local backend: who is alone with the files of an owner, and what a crash leaves."""

import asyncio
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.storage import (
    Namespace,
    OnTaken,
    QuotaExceededError,
    StorageService,
    local_file,
    local_operations,
)
from bedplate.services.storage.factory import build_storage
from bedplate.services.storage.local_accounts import USAGE
from bedplate.services.telemetry import TelemetryService

QUOTA = 10_000


@pytest.fixture
async def limited(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
) -> AsyncIterator[StorageService]:
    values = {"quota_bytes": QUOTA}
    service = build_storage(
        SettingsService(profile="test", data_dir=settings.values.data_dir, storage=values),
        telemetry,
        database,
        keyring,
        workers,
    )
    await service.start()
    yield service
    await service.stop()


def _may_lock(folder: Path, kind: int) -> bool:
    """Whether another process could lock the folder now."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


@pytest.fixture
def at_the_change(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has something done on the thread at the moment when a file gets its place."""

    def install(look: Callable[[], None]) -> None:
        original = local_file.place

        def place(*args: Any) -> str:
            look()
            return original(*args)

        monkeypatch.setattr(local_file, "place", place)
        monkeypatch.setattr(local_operations, "place", place)

    return install


async def _changes(storage: StorageService, namespace: Namespace, etag: str | None) -> None:
    await storage.save(namespace, "a", b"2", if_match=etag)
    await storage.copy(namespace, "a", namespace, "b", on_taken=OnTaken.REPLACE)
    await storage.move(namespace, "b", namespace, "c", on_taken=OnTaken.REPLACE)


async def test_plain_changes_go_on_side_by_side_and_conditional_ones_alone(
    storage: StorageService, namespace: Namespace, folder: Path, at_the_change: Callable[..., None]
) -> None:
    """STO-3: no plain save slips in between the look at the version and the change."""
    saved = await storage.save(namespace, "a", b"1")
    seen: list[tuple[bool, bool]] = []
    at_the_change(
        lambda: seen.append((_may_lock(folder.parent, fcntl.LOCK_SH), _may_lock(folder.parent, fcntl.LOCK_EX)))
    )
    await _changes(storage, namespace, None)
    assert seen == [(True, False)] * 3
    seen.clear()
    await storage.save(namespace, "a", b"3", if_match=(await storage.stat(namespace, "a")).etag)
    assert seen == [(False, False)]
    assert saved.etag != (await storage.stat(namespace, "a")).etag


async def test_with_a_quota_every_change_is_alone(
    limited: StorageService, namespace: Namespace, folder: Path, at_the_change: Callable[..., None]
) -> None:
    """STO-3: so that what fits at the look fits at the change."""
    await limited.save(namespace, "a", b"1")
    seen: list[bool] = []
    at_the_change(lambda: seen.append(_may_lock(folder.parent, fcntl.LOCK_SH)))
    await _changes(limited, namespace, None)
    assert seen == [False] * 3


@pytest.mark.parametrize("early", [True, False])
async def test_what_a_crash_leaves_is_counted_anew(
    early: bool, limited: StorageService, namespace: Namespace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-3: right before a file has its place, or right after it."""
    await limited.save(namespace, "a", b"x" * 1_000)
    original = local_file.place

    def place(*args: Any) -> str:
        if not early:
            original(*args)
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(local_file, "place", place)
        with pytest.raises(MemoryError):
            await limited.save(namespace, "b", b"x" * 500)
    assert (await limited.usage(namespace.owner)).bytes == (1_000 if early else 1_500)
    await limited.save(namespace, "c", b"x" * 100)
    assert (await limited.usage(namespace.owner)).bytes == (1_100 if early else 1_600)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"BPU1" + b"\0" * 60, b"x" * 1_000])
async def test_a_sum_that_cannot_be_read_is_counted_anew(
    content: bytes, limited: StorageService, namespace: Namespace, folder: Path
) -> None:
    """STO-3: whatever stands there, links included."""
    await limited.save(namespace, "a", b"x" * 1_000)
    (folder.parent / USAGE).write_bytes(content)
    assert (await limited.usage(namespace.owner)).bytes == 1_000
    with pytest.raises(QuotaExceededError):
        await limited.save(namespace, "b", b"x" * 9_001)
    await limited.save(namespace, "b", b"x" * 9_000)


_SAVES = """
import asyncio, sys, uuid
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.errors import QuotaExceededError
from bedplate.services.storage.local import LocalFiles
from bedplate.services.storage.models import Namespace
from pathlib import Path

async def main():
    workers = Workers()
    await workers.start()
    files = LocalFiles(Path(sys.argv[1]), workers, threads=2, low_space=0, reserved=0, quota=int(sys.argv[3]))
    await files.start()
    namespace = Namespace.user(uuid.UUID(sys.argv[2]))

    async def save(number):
        try:
            await files.save(namespace, f"{sys.argv[4]}-{number}", b"x" * 900, Placing())
        except QuotaExceededError:
            return 0
        return 1

    print(sum(await asyncio.gather(*(save(number) for number in range(20)))))
    await files.stop()
    await workers.stop()

asyncio.run(main())
"""


async def test_processes_share_a_quota(limited: StorageService, namespace: Namespace, folder: Path) -> None:
    """STO-3: what one of them takes, the others do not get."""
    arguments = (str(folder.parents[1]), str(namespace.owner), str(QUOTA))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SAVES, *arguments, str(number), stdout=asyncio.subprocess.PIPE
        )
        for number in range(3)
    ]
    outputs = [await process.communicate() for process in processes]
    assert sum(int(output[0]) for output in outputs) == 11
    usage = await limited.usage(namespace.owner)
    assert (usage.bytes, usage.files) == (9_900, 11)
