"""Many files as one zip archive, made as it is sent."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from bedplate.services.storage.errors import StoredFileNotFoundError
from bedplate.services.storage.reader import FileReader

__all__ = ["zip_stream"]


async def zip_stream(files: Iterable[tuple[str, Callable[[], Awaitable[FileReader]]]]) -> AsyncIterator[bytes]:
    """The bytes of an archive of the files, uncompressed; a few chunks of it are in memory at a time.

    Args:
        files: Names in the archive, and what opens each file when its turn comes. One that is gone by then is left out.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, open_ in files:
            try:
                file = await open_()
            except StoredFileNotFoundError:
                continue
            async with file:
                entry = zipfile.ZipInfo(name, file.info.modified_at.timetuple()[:6])
                entry.external_attr = 0o600 << 16
                with archive.open(entry, "w", force_zip64=file.info.size >= zipfile.ZIP64_LIMIT) as target:
                    async for chunk in file:
                        target.write(chunk)
                        yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken; cannot be sought in, as a connection cannot."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]  # zipfile writes these
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._written = bytes(self._written), bytearray()
        return taken
