"""Keys of objects to be made, noted in the index before, so that nothing is left that nobody knows of."""

import asyncio
import time
import uuid
from typing import Final

from bedplate.services.storage.index import FileIndex

__all__ = ["Keys"]

_AT_ONCE: Final = 32


class Keys:
    """Hands out keys, which are noted several at a time: most uploads wait for no transaction before they begin.

    Args:
        index: Where they are noted.
        seconds: How long an upload may take.
    """

    def __init__(self, index: FileIndex, seconds: float) -> None:
        self._index = index
        self._seconds = seconds
        self._free: list[uuid.UUID] = []
        self._old_at = 0.0
        self._noting = asyncio.Lock()

    async def take(self) -> uuid.UUID:
        """A key that nobody else has."""
        if self._free and time.monotonic() < self._old_at:
            return self._free.pop()
        async with self._noting:
            if not self._free or time.monotonic() >= self._old_at:
                keys = [uuid.uuid4() for _ in range(_AT_ONCE)]
                noted_at = time.monotonic()
                # For longer than an upload may take: a key may lie here for a while before one begins.
                await self._index.reserve(keys, self._seconds * 2)
                self._free, self._old_at = keys, noted_at + self._seconds
            return self._free.pop()

    async def release(self, key: uuid.UUID) -> None:
        """Say that there is no object of this key, and will be none."""
        await self._index.forget([key])

    async def close(self) -> None:
        """Take back what was noted and not handed out."""
        free, self._free = self._free, []
        self._noting = asyncio.Lock()
        if free:
            await self._index.forget(free)
