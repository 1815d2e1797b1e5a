"""The part of the storage service that reads."""

import builtins
from collections.abc import AsyncIterator, Iterable
from functools import partial

from bedplate.services.base import Service
from bedplate.services.engines.workers import Workers
from bedplate.services.settings.groups.storage import StorageSettings
from bedplate.services.storage.archive import zip_stream
from bedplate.services.storage.backend import StorageBackend
from bedplate.services.storage.errors import FileTooLargeError, StoredFileNotFoundError
from bedplate.services.storage.models import FileInfo, Namespace
from bedplate.services.storage.names import check_name, check_namespace
from bedplate.services.storage.pages import FilePage, decode_cursor, page_of
from bedplate.services.storage.reader import FileReader
from bedplate.services.telemetry import TelemetryService

__all__ = ["StoredFiles"]

_ARCHIVE_THREADS = 2


class StoredFiles(Service):
    """Opens, lists and describes files; see :class:`~bedplate.services.storage.StorageService`.

    Args:
        values: The settings of the storage.
        telemetry: Where bytes are counted.
        workers: Where archives are made.
        store: The backend.
    """

    def __init__(
        self, values: StorageSettings, telemetry: TelemetryService, workers: Workers, store: StorageBackend
    ) -> None:
        self._values = values
        self._workers = workers
        self._store = store
        self._read = telemetry.meter.counter("bedplate_storage_read_bytes", "Bytes of files read.")

    async def open(self, namespace: Namespace, name: str, *, start: int = 0, end: int | None = None) -> FileReader:
        """Open a file, or a part of it, for reading bit by bit.

        Args:
            namespace: Where.
            name: Which.
            start: The first byte to read.
            end: The byte after the last one; None, or one beyond the file: the end of the file.

        Raises:
            StoredFileNotFoundError: There is none.
            FileRangeError: The part begins beyond the end of the file, or ends before it begins.
            UnsafeFileError: It is a link, a folder or a device.
        """
        self._require(namespace, name)
        reader = FileReader(await self._store.open(namespace, name), self._values.chunk_bytes, self._read.add)
        return reader if (start, end) == (0, None) else reader.select(start, end)

    async def read(
        self,
        namespace: Namespace,
        name: str,
        *,
        max_bytes: int | None = None,
        start: int = 0,
        end: int | None = None,
    ) -> bytes:
        """The whole content of a small file, or a small part of any.

        Args:
            namespace: Where.
            name: Which.
            max_bytes: Most bytes that the caller wants in memory; None: ``max_read_bytes`` of the settings.
            start: As in :meth:`open`.
            end: As in :meth:`open`.

        Raises:
            StoredFileNotFoundError: There is none.
            FileRangeError: As in :meth:`open`.
            FileTooLargeError: It has more than ``max_bytes``.
        """
        async with await self.open(namespace, name, start=start, end=end) as file:
            most = self._values.max_read_bytes if max_bytes is None else max_bytes
            size = min(file.info.size, file.info.size if end is None else end) - start
            if size > most:
                raise FileTooLargeError(most)
            return await file.read()

    async def list(
        self, namespace: Namespace, *, after: str = "", limit: int | None = None, prefix: str = ""
    ) -> builtins.list[FileInfo]:
        """The files of a namespace by name; none if there is no such namespace.

        Args:
            namespace: Where.
            after: Only those whose names sort after this one: the last of the page before.
            limit: Most files; at most, and by default, ``max_page`` of the settings.
            prefix: Only those whose names begin so.
        """
        self._require(namespace, *([after] if after else []))
        most = self._values.max_page if limit is None else max(0, min(limit, self._values.max_page))
        return await self._store.list(namespace, after, most, prefix)

    async def page(
        self, namespace: Namespace, *, cursor: str | None = None, limit: int = 100, prefix: str = ""
    ) -> FilePage:
        """Some files of a namespace by name, and the cursor of those that follow.

        A file that is there from the first page to the last is in one of them, whatever else is saved or deleted.

        Args:
            namespace: Where.
            cursor: That of the page before; None: the first page.
            limit: Most files, from 1; at most ``max_page`` of the settings.
            prefix: Only those whose names begin so.

        Raises:
            InvalidInputError: The cursor is none.
        """
        self._require(namespace)
        most = max(1, min(limit, self._values.max_page))
        return page_of(await self._store.list(namespace, decode_cursor(cursor), most + 1, prefix), most)

    def archive(self, files: Iterable[tuple[str, Namespace, str]]) -> AsyncIterator[bytes]:
        """Many files as one zip archive, bit by bit, of which a few chunks are in memory.

        Args:
            files: What each file is called in the archive, with a number where an earlier one has the name; its
                namespace; its name there. One that is gone when its turn comes is left out.
        """
        self._require_started()
        entries = ((name, partial(self.open, namespace, stored)) for name, namespace, stored in files)
        return zip_stream(entries, self._workers.pool("archives", _ARCHIVE_THREADS))

    async def namespaces(self, *, after: Namespace | None = None, limit: int | None = None) -> builtins.list[Namespace]:
        """The namespaces of all owners, some of which may have no files, in an order of their own; for maintenance.

        Args:
            after: The last of the page before.
            limit: Most namespaces; at most, and by default, ``max_page`` of the settings.
        """
        self._require_started()
        most = self._values.max_page if limit is None else max(0, min(limit, self._values.max_page))
        place = "" if after is None else f"{after.owner}/{after.kind}-{after.id}"
        return await self._store.namespaces(place, most)

    async def stat(self, namespace: Namespace, name: str) -> FileInfo:
        """What is known of a file, with its sha256; where that is not recorded, the file is read.

        Raises:
            StoredFileNotFoundError: There is none.
        """
        self._require(namespace, name)
        return await self._store.stat(namespace, name, digest=True)

    async def exists(self, namespace: Namespace, name: str) -> bool:
        """Whether there is such a file."""
        self._require(namespace, name)
        try:
            await self._store.stat(namespace, name, digest=False)
        except StoredFileNotFoundError:
            return False
        return True

    def _require(self, namespace: Namespace, *names: str) -> None:
        """Raise unless the service is started, and the namespace and the names are possible ones."""
        self._require_started()
        check_namespace(namespace)
        for name in names:
            check_name(name)
