"""A file on its way into a bucket: whole if it is small, in parts side by side if it is not."""

import asyncio
import contextlib
import hashlib
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from bedplate.services.engines.s3_signing import Content
from bedplate.services.engines.workers import WorkerPool
from bedplate.services.errors import BedplateError
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.index import FileIndex
from bedplate.services.storage.models import FileInfo, Namespace, OnTaken
from bedplate.services.storage.s3_bucket import Bucket, Part
from bedplate.services.storage.s3_keys import Keys
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["S3Upload", "placed"]

_INLINE: Final = 128 * 1024
"""Bytes that are hashed on the event loop: a hop to a thread would take longer."""
_PATIENCE: Final = 5.0
"""Seconds that a cancelled upload waits for calls under way, so that what they make is deleted and not made after."""


class S3Upload:
    """See :class:`~bedplate.services.storage.backend.Upload`.

    Args:
        bucket: Where the object goes.
        index: Where the file goes.
        keys: Where its key comes from.
        namespace: The namespace of the file.
        threads: Threads that compute digests.
        part_bytes: Bytes of a part.
        parts: Most parts that are sent at once.
    """

    def __init__(
        self,
        bucket: Bucket,
        index: FileIndex,
        keys: Keys,
        namespace: Namespace,
        *,
        threads: Callable[[], WorkerPool],
        part_bytes: int,
        parts: int,
    ) -> None:
        self._bucket = bucket
        self._index = index
        self._keys = keys
        self._namespace = namespace
        self._threads = threads
        self._part_bytes = part_bytes
        self._parts = parts
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._size = 0
        self._digest = hashlib.sha256()
        self._key: uuid.UUID | None = None
        self._id: str | None = None
        self._number = 0
        self._calls: set[asyncio.Task[None]] = set()
        self._sent: list[Part] = []
        self._ended = False

    async def write(self, chunks: Sequence[bytes]) -> None:
        """See :class:`~bedplate.services.storage.backend.Upload`."""
        size = sum(map(len, chunks))
        if size <= _INLINE:
            _update(self._digest, chunks)
        else:
            await self._threads().run(_update, self._digest, chunks)
        self._held += chunks
        self._held_bytes += size
        self._size += size
        while self._held_bytes > self._part_bytes:
            await self._send(self._cut(self._part_bytes))

    async def commit(self, name: str, placing: Placing) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.Upload`."""
        key = await self._take_key()
        if self._id is None:
            data = Content(b"".join(self._held))
            data.sha256 = self._digest.hexdigest()
            await self._call(self._bucket.put(key, data))
            self._held.clear()
        else:
            await self._send(self._cut(self._held_bytes))
            await self._drained(0)
            await self._call(self._bucket.complete(key, self._id, self._sent))
        return await self._place(key, name, placing)

    async def abort(self) -> None:
        """See :class:`~bedplate.services.storage.backend.Upload`."""
        if not self._ended:
            self._ended = True
            self._held.clear()
            if self._key is not None:
                await uninterrupted(self._clean(self._key))

    async def _place(self, key: uuid.UUID, name: str, placing: Placing) -> FileInfo:
        placing_ = asyncio.ensure_future(
            self._index.place(key, self._namespace, name, placing, self._size, self._digest.hexdigest())
        )
        info = await placed(placing_, self._index, self._namespace, placing, self._end)
        self._end()
        return info

    def _end(self) -> None:
        self._ended = True

    async def _take_key(self) -> uuid.UUID:
        if self._key is None:
            self._key = await self._keys.take()
        return self._key

    def _cut(self, size: int) -> Content:
        """The next part; what it is made of is let go of, so that it is in memory once."""
        part = Content()
        self._held_bytes -= size
        while size:
            chunk = self._held.popleft()
            if len(chunk) > size:
                self._held.appendleft(chunk[size:])
                chunk = chunk[:size]
            size -= part.write(chunk)
        part.seek(0)
        return part

    async def _send(self, data: Content) -> None:
        """Begin to send a part, once there are fewer on their way than may be."""
        key = await self._take_key()
        if self._id is None:
            await self._call(self._begin(key))
        await self._drained(self._parts - 1)
        self._number += 1
        self._spawn(self._send_part(key, self._id or "", self._number, data))

    async def _begin(self, key: uuid.UUID) -> None:
        self._id = await self._bucket.begin(key)

    async def _send_part(self, key: uuid.UUID, upload: str, number: int, data: Content) -> None:
        data.sha256 = await self._threads().run(_digest_of, data)
        self._sent.append(await self._bucket.put_part(key, upload, number, data))

    async def _drained(self, most: int) -> None:
        """Return once at most so many calls are under way; raise what one of them raised."""
        while len(self._calls) > most:
            done, self._calls = await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
            for call in done:
                call.result()

    async def _call(self, work: Awaitable[None]) -> None:
        """Make a call that is not broken off where the caller is: :meth:`abort` waits for it."""
        self._spawn(work)
        await self._drained(0)

    def _spawn(self, work: Awaitable[None]) -> None:
        self._calls.add(asyncio.ensure_future(work))

    async def _clean(self, key: uuid.UUID) -> None:
        """Remove what was sent; what cannot be removed now is swept once its key is due."""
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=_PATIENCE)
            for call in late:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            if late:
                return  # the object may be made after it would be deleted
        with contextlib.suppress(BedplateError):
            if self._id is not None:
                await self._bucket.abandon(key, self._id)
            await self._bucket.delete([key])
            await self._keys.release(key)


async def placed(
    work: "asyncio.Future[FileInfo]",
    index: FileIndex,
    namespace: Namespace,
    placing: Placing,
    end: Callable[[], None] | None = None,
) -> FileInfo:
    """Wait for a file to be placed, also when cancelled: then it is undone, unless it may have replaced one."""
    try:
        return await uninterrupted(work)
    except asyncio.CancelledError:
        if not work.cancelled() and work.exception() is None:
            if end is not None:
                end()
            if placing.if_match is None and placing.on_taken is not OnTaken.REPLACE:
                info = work.result()
                with contextlib.suppress(BedplateError):
                    await uninterrupted(index.remove(namespace, info.name, info.etag))
        raise


def _digest_of(data: Content) -> str:
    return hashlib.sha256(data.getbuffer()).hexdigest()


def _update(digest: "hashlib._Hash", chunks: Sequence[bytes]) -> None:
    for chunk in chunks:
        digest.update(chunk)
