"""An open file whose content is an object."""

import uuid
from typing import Any, Final

from bedplate.services.storage.errors import ObjectStoreError
from bedplate.services.storage.models import FileInfo
from bedplate.services.storage.s3_bucket import Bucket
from bedplate.services.storage.s3_errors import typed_errors

__all__ = ["S3Content"]

_RESUMES: Final = 3
_AT_ONCE: Final = 8 * 1024**2
"""Bytes that the library is left to collect; of more, what has come is kept when the connection is lost."""


class S3Content:
    """See :class:`~bedplate.services.storage.backend.StoredContent`.

    One call of the API streams what is selected. Where the connection is lost in the middle, the rest is asked for:
    an object never changes, so that it is the same version.
    """

    def __init__(self, bucket: Bucket, key: uuid.UUID, info: FileInfo) -> None:
        self.info = info
        self._bucket = bucket
        self._key = key
        self._offset = 0
        self._end = info.size
        self._body: Any = None
        self._closed = False
        self._lost = 0

    def select(self, start: int, end: int) -> None:
        """See :class:`~bedplate.services.storage.backend.StoredContent`."""
        self._offset, self._end = start, end

    async def read(self, size: int) -> bytes:
        """See :class:`~bedplate.services.storage.backend.StoredContent`."""
        wanted = min(size, self._end - self._offset)
        pieces: list[bytes] = []
        while wanted > 0 and not self._closed:
            try:
                piece = await self._some(wanted)
            except ObjectStoreError:
                self._drop()
                self._lost += 1
                if self._lost > _RESUMES:
                    raise
                continue
            pieces.append(piece)
            self._offset += len(piece)
            wanted -= len(piece)
        if self._offset >= self._end:
            self._drop()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """See :class:`~bedplate.services.storage.backend.StoredContent`."""
        self._closed = True
        self._drop()

    async def _some(self, wanted: int) -> bytes:
        if self._body is None:
            self._body = await self._bucket.get(self._key, self._offset, self._end)
            if self._closed:  # while it was asked for
                self._drop()
                return b""
        all_of_it = wanted <= _AT_ONCE and wanted == self._end - self._offset
        with typed_errors("", ""):
            piece: bytes = await self._body.read(None if all_of_it else wanted)
        if not piece and not self._closed:
            raise ObjectStoreError(
                "the object ended too early",
                fix="try again; if it lasts, look at the server at BEDPLATE_STORAGE__S3_ENDPOINT",
            )
        return piece

    def _drop(self) -> None:
        if self._body is not None:
            body, self._body = self._body, None
            body.close()
