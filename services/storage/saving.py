"""Saves what comes bit by bit, in bounded memory."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

from bedplate.services.errors import BedplateError
from bedplate.services.storage.backend import Placing, Upload
from bedplate.services.storage.errors import UploadSourceError
from bedplate.services.storage.models import FileInfo
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["save_stream"]

_MOST_CHUNKS = 1024


async def save_stream(
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
