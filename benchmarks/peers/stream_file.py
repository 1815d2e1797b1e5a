"""Streams 1 GiB into a storage and out again, and prints by how many MiB the process grew.

Arguments: the data directory, and the settings of the storage as JSON; without them it is the local one.
"""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from bedplate.services.storage import Namespace, StorageService
from benchmarks.services import container_in

_PIECE = os.urandom(64 * 1024)


async def _stream(pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        yield bytes(bytearray(_PIECE))


async def _round_trip(storage: StorageService, pieces: int) -> None:
    namespace = Namespace.user(uuid.uuid4())
    await storage.save(namespace, "large", _stream(pieces))
    async for _ in await storage.open(namespace, "large"):
        pass
    await storage.delete_namespace(namespace)


def _peak() -> float:
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


async def _main() -> None:
    settings = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    async with container_in(sys.argv[1], "storage", storage=settings) as container:
        await _round_trip(container.storage(), 1)
        before = _peak()
        await _round_trip(container.storage(), 16 * 1024)
        print(_peak() - before)


asyncio.run(_main())
