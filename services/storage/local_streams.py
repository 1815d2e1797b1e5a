"""Open files of the local backend, on their way out and in."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from bedplate.services.engines.workers import WorkerPool
from bedplate.services.errors import RateLimitedError, UnavailableError
from bedplate.services.storage.abort import Abort
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.local_file import Temporary
from bedplate.services.storage.local_folder import Descriptor, Root
from bedplate.services.storage.local_operations import read_block, undoing
from bedplate.services.storage.models import FileInfo, Namespace
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["LocalContent", "LocalUpload", "Threads"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Protocol):
    """How calls get to the threads of the backend."""

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what only reads."""
        ...

    async def change(self, function: Callable[..., T], *args: Any, undo: Callable[[T], None] | None = None) -> T:
        """Call what changes something."""
        ...

    def pool(self) -> WorkerPool:
        """The threads themselves."""
        ...


class LocalContent:
    """An open file; see :class:`~bedplate.services.storage.backend.StoredContent`."""

    def __init__(self, threads: Threads, descriptor: Descriptor, info: FileInfo) -> None:
        self.info = info
        self._threads = threads
        self._descriptor = descriptor
        self._offset = 0
        self._end = info.size

    def select(self, start: int, end: int) -> None:
        """See :class:`~bedplate.services.storage.backend.StoredContent`."""
        self._offset, self._end = start, end

    async def read(self, size: int) -> bytes:
        """See :class:`~bedplate.services.storage.backend.StoredContent`."""
        if (size := min(size, self._end - self._offset)) <= 0:
            return b""
        block = await self._threads.read(read_block, self._descriptor, size, self._offset)
        self._offset += len(block)
        return block

    def close(self) -> None:
        """See :class:`~bedplate.services.storage.backend.StoredContent`."""
        self._descriptor.close()


class LocalUpload:
    """A file on its way in; see :class:`~bedplate.services.storage.backend.Upload`."""

    def __init__(self, threads: Threads, root: Root, namespace: Namespace) -> None:
        self._threads = threads
        self._root = root
        self._namespace = namespace
        self._file: Temporary | None = None

    async def write(self, chunks: Sequence[bytes]) -> None:
        """See :class:`~bedplate.services.storage.backend.Upload`."""
        if self._file is None:
            await self._threads.change(self._create)
        # On two threads, since the digest costs twice as much as the writing; both have ended when this returns.
        both = (self._threads.change(self._write, chunks), self._threads.change(self._digest, chunks))
        for outcome in await asyncio.gather(*both, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def commit(self, name: str, placing: Placing) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.Upload`."""
        undo = undoing(self._root, self._namespace, placing)
        return await self._threads.change(self._commit, name, placing, undo=undo)

    async def abort(self) -> None:
        """See :class:`~bedplate.services.storage.backend.Upload`."""
        if self._file is not None:
            await uninterrupted(self._discard(self._file))

    async def _discard(self, file: Temporary) -> None:
        with contextlib.suppress(OSError):  # what cannot be removed is swept at the next start
            try:
                await self._threads.pool().run(file.discard)
            except (UnavailableError, RateLimitedError):  # no thread to be had: it is but an unlink
                file.discard()

    def _create(self, abort: Abort) -> Temporary:
        self._file = Temporary.create(self._root, self._namespace)
        return self._file

    def _write(self, abort: Abort, chunks: Sequence[bytes]) -> None:
        if self._file is not None:
            self._file.write(abort, chunks)

    def _digest(self, abort: Abort, chunks: Sequence[bytes]) -> None:
        if self._file is not None:
            self._file.digest(abort, chunks)

    def _commit(self, abort: Abort, name: str, placing: Placing) -> FileInfo:
        file = self._file or self._create(abort)
        info = file.commit(abort, name, placing)
        file.discard()
        return info
