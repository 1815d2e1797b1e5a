"""Removes the objects that belong to nobody any more: of files that went, and of uploads that were abandoned."""

from typing import Final

from bedplate.services.storage.index import FileIndex
from bedplate.services.storage.s3_bucket import Bucket

__all__ = ["sweep"]

_BATCH: Final = 500


async def sweep(bucket: Bucket, index: FileIndex) -> int:
    """Remove all that are due; how many there were. Several replicas may do so at once."""
    removed = 0
    while due := await index.due(_BATCH):
        for key, uploading in due.items():
            if uploading:
                for upload in await bucket.uploads(key):
                    await bucket.abandon(key, upload)
        await bucket.delete(due)
        await index.forget(due)
        removed += len(due)
    return removed
