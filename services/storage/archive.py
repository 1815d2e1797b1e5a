"""Many files as one zip archive, made as it is sent."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from bedplate.services.engines.workers import WorkerPool
from bedplate.services.storage.errors import StoredFileNotFoundError
from bedplate.services.storage.names import free_name
from bedplate.services.storage.reader import FileReader

__all__ = ["zip_stream"]


async def zip_stream(
    files: Iterable[tuple[str, Callable[[], Awaitable[FileReader]]]], pool: WorkerPool
) -> AsyncIterator[bytes]:
    """The bytes of an archive of the files, uncompressed; a few chunks of it are in memory at a time.

    Args:
        files: Names in the archive, and what opens each file when its turn comes. A name that an earlier file has gets
            a number; a file that is gone by then is left out.
        pool: Where checksums are computed.
    """
    sink = _Sink()
    taken: set[str] = set()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, open_ in files:
            try:
                file = await open_()
            except StoredFileNotFoundError:
                continue
            async with file:
                with archive.open(_entry(name, file, taken), "w", force_zip64=_is_large(file)) as target:
                    async for chunk in file:
                        await pool.run(target.write, chunk)
                        yield sink.take()
    yield sink.take()


def _entry(name: str, file: FileReader, taken: set[str]) -> zipfile.ZipInfo:
    # Names that differ in case alone are one name where many archives are unpacked.
    unique = free_name(name, lambda candidate: candidate.casefold() in taken)
    taken.add(unique.casefold())
    entry = zipfile.ZipInfo(unique, file.info.modified_at.timetuple()[:6])
    entry.external_attr = 0o600 << 16
    return entry


def _is_large(file: FileReader) -> bool:
    return file.info.size >= zipfile.ZIP64_LIMIT


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
