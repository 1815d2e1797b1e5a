"""Open files, as asynchronous iterators."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from bedplate.services.storage.backend import StoredContent
from bedplate.services.storage.errors import FileRangeError
from bedplate.services.storage.models import FileInfo

__all__ = ["FileReader"]


class FileReader:
    """An open file: iterate over its chunks, or read it, once.

    ::

        async with await storage.open(namespace, "a.txt") as file:
            async for chunk in file:
                ...

    It is one version of the file from beginning to end, whatever is saved or deleted meanwhile. At most three chunks
    are in memory: the next one is read while the caller works on this one.

    Args:
        content: What to read.
        chunk_bytes: Bytes of a chunk.
        count: Called with the number of bytes of each chunk.

    Attributes:
        info: What is known of the file; its sha256 is None where it is not recorded.
    """

    def __init__(self, content: StoredContent, chunk_bytes: int, count: Callable[[int], None]) -> None:
        self.info: FileInfo = content.info
        self._content = content
        self._chunk_bytes = chunk_bytes
        self._count = count
        self._size = content.info.size

    async def __aenter__(self) -> "FileReader":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def select(self, start: int, end: int | None = None) -> "FileReader":
        """Have the iteration give a part of the file alone; called before it.

        Args:
            start: The first byte of the part.
            end: The byte after its last one; None, or one beyond the file: the end of the file.

        Raises:
            FileRangeError: The part begins beyond the end of the file, or ends before it begins.
        """
        stop = self.info.size if end is None else min(end, self.info.size)
        if not 0 <= start <= stop:
            self.close()
            raise FileRangeError(start, end, self.info.size)
        self._content.select(start, stop)
        self._size = stop - start
        return self

    async def read(self) -> bytes:
        """All of it, or of the part that is selected, at once; in place of the iteration."""
        pieces: list[bytes] = []
        left = self._size
        while left and (piece := await self._content.read(left)):
            self._count(len(piece))
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        ahead = self._next()
        try:
            while block := await ahead:
                ahead = self._next()
                self._count(len(block))
                yield block
        finally:
            ahead.cancel()
            self.close()

    def close(self) -> None:
        """Give the file back; may be called twice. Done at the end of the iteration, too."""
        self._content.close()

    def _next(self) -> "asyncio.Future[bytes]":
        ahead = asyncio.ensure_future(self._content.read(self._chunk_bytes))
        ahead.add_done_callback(_looked_at)
        return ahead


def _looked_at(ahead: "asyncio.Future[bytes]") -> None:
    """Spare a chunk that was read ahead and is not wanted any more the complaint that its error was never raised."""
    if not ahead.cancelled():
        ahead.exception()
