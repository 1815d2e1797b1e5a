"""Files in and out of local storage: what a save costs beside its system calls, and how fast and lean streams are."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bedplate.services.engines.workers import Workers
from bedplate.services.storage import Namespace, StorageService
from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_MIB = 1024 * 1024
_SAVES = 50
_PIECE = os.urandom(_MIB)
_PIECES = 64


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """A small save against a bare one, streams against copying a file, and the memory of a large stream."""
    with temporary_folder() as folder, run_in(runner, folder, "storage") as container:
        storage, workers = container.storage(), container.workers()
        namespace, bare = Namespace.user(uuid.uuid4()), Path(folder) / "bare"
        bare.mkdir()
        yield ratio(
            "save 1 KiB, atomic and synced",
            lambda: _saves(storage, namespace),
            lambda: _bare_saves(workers, bare),
            against="one thread hop with the same system calls",
            unit="µs",
            aim=Aim("≤", 1.5),
            runner=runner,
        )
        large = Path(folder) / "large"
        large.write_bytes(_PIECE * _PIECES)
        yield ratio(
            "64 MiB streamed into and out of local storage",
            lambda: _round_trip(storage, namespace),
            lambda: _copies(large),
            against="shutil.copyfile there and back",
            unit="ms",
            aim=Aim("≤", 2.0),
            runner=runner,
        )
    yield absolute(
        "extra memory of 1 GiB streamed in and out",
        _extra_memory,
        unit="MiB",
        aim=Aim("≤", 16.0),
        runner=runner,
        rounds=3,
    )


async def _saves(storage: StorageService, namespace: Namespace) -> float:
    begun = time.perf_counter()
    for number in range(_SAVES):
        await storage.save(namespace, f"{number}.txt", _PIECE[:1024])
    return (time.perf_counter() - begun) / _SAVES * 1e6


async def _bare_saves(workers: Workers, folder: Path) -> float:
    begun = time.perf_counter()
    for number in range(_SAVES):
        await workers.run("bare", 4, _bare_save, folder, f"{number}.txt")
    return (time.perf_counter() - begun) / _SAVES * 1e6


def _bare_save(folder: Path, name: str) -> None:
    temporary = folder / f".{name}"
    with temporary.open("xb") as file:
        file.write(_PIECE[:1024])
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / name)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(directory)
    os.close(directory)


async def _round_trip(storage: StorageService, namespace: Namespace) -> float:
    begun = time.perf_counter()
    await storage.save(namespace, "large", _stream())
    async for _ in await storage.open(namespace, "large"):
        pass
    return (time.perf_counter() - begun) * 1e3


async def _stream() -> AsyncIterator[bytes]:
    for _ in range(_PIECES):
        yield _PIECE


def _copies(large: Path) -> float:
    begun = time.perf_counter()
    copy = shutil.copyfile(large, large.with_name("copy"))
    shutil.copyfile(copy, large.with_name("back"))
    return (time.perf_counter() - begun) * 1e3


def _extra_memory() -> float:
    with temporary_folder() as folder:
        command = [sys.executable, "-m", "benchmarks.peers.stream_file", folder]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
