"""Saves what is in memory, and what comes bit by bit, in bounded memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator

from bedplate.services.errors import BedplateError
from bedplate.services.settings.groups.storage import StorageSettings
from bedplate.services.storage.backend import Placing, StorageBackend, Upload
from bedplate.services.storage.errors import (
    FileTooLargeError,
    QuotaExceededError,
    StoredFileNotFoundError,
    UploadSourceError,
)
from bedplate.services.storage.models import FileInfo, Namespace, OnTaken
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["Saver"]

_MOST_CHUNKS = 1024


class Saver:
    """Saves files within the limits of the settings.

    Args:
        settings: The settings of the storage.
        store: The backend.
    """

    def __init__(self, settings: StorageSettings, store: StorageBackend) -> None:
        self._settings = settings
        self._store = store

    async def save(
        self, namespace: Namespace, name: str, data: bytes | AsyncIterable[bytes], placing: Placing
    ) -> FileInfo:
        """See :meth:`bedplate.services.storage.StorageService.save`."""
        if isinstance(data, bytes | bytearray | memoryview):
            content = bytes(data)
            if len(content) > self._settings.max_file_bytes:
                raise FileTooLargeError(self._settings.max_file_bytes)
            return await self._store.save(namespace, name, content, placing)
        if not isinstance(data, AsyncIterable):
            raise UploadSourceError(type(data))
        limit, refusal = await self._limit(namespace, name, placing)
        return await _save_stream(
            self._store.upload(namespace),
            data,
            name=name,
            placing=placing,
            chunk_bytes=self._settings.chunk_bytes,
            limit=limit,
            refusal=refusal,
        )

    async def _limit(self, namespace: Namespace, name: str, placing: Placing) -> tuple[int, BedplateError]:
        """Most bytes that an upload can have as things are now, so that it is refused early; the backend decides."""
        most, quota = self._settings.max_file_bytes, self._settings.quota_bytes
        if quota:
            room = quota - (await self._store.usage(namespace.owner)).bytes
            if placing.on_taken is OnTaken.REPLACE:
                with contextlib.suppress(StoredFileNotFoundError):
                    room += (await self._store.stat(namespace, name, digest=False)).size
            if room < most:
                return max(0, room), QuotaExceededError(quota)
        return most, FileTooLargeError(most)


async def _save_stream(
    upload: Upload,
    source: AsyncIterable[bytes],
    *,
    name: str,
    placing: Placing,
    chunk_bytes: int,
    limit: int,
    refusal: BedplateError,
) -> FileInfo:
    """Write the source into the upload and commit it; a failure or a cancellation leaves nothing of it.

    While one batch is written, the next is collected.

    Args:
        upload: Where it goes.
        source: Its content.
        name: What it shall be called.
        placing: How it gets its place.
        chunk_bytes: Bytes that are written at a time, at least; chunks that are larger stay whole.
        limit: Most bytes of the file.
        refusal: What is raised when there are more.

    Raises:
        UploadSourceError: What comes is not bytes.
    """
    writing: asyncio.Future[None] | None = None
    try:
        async for batch in _batches(source, chunk_bytes, limit, refusal):
            if writing is not None:
                await writing
            writing = asyncio.ensure_future(upload.write(batch))
        if writing is not None:
            await writing
        return await upload.commit(name, placing)
    except BaseException:
        if writing is not None:
            writing.cancel()
            await uninterrupted(_ended(writing))
        await upload.abort()
        raise


async def _ended(writing: "asyncio.Future[None]") -> None:
    await asyncio.wait([writing])
    if not writing.cancelled():
        writing.exception()  # has been raised, or the reason to stop came before it


async def _batches(
    source: AsyncIterable[bytes], chunk_bytes: int, limit: int, refusal: BedplateError
) -> AsyncIterator[list[bytes]]:
    batch: list[bytes] = []
    size = total = 0
    async for chunk in source:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise UploadSourceError(type(chunk))
        held = bytes(chunk)  # a buffer that its owner fills again would change under the writing thread
        size += len(held)
        total += len(held)
        if total > limit:
            raise refusal
        batch.append(held)
        if size >= chunk_bytes or len(batch) >= _MOST_CHUNKS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
