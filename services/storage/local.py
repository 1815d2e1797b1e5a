"""Files in a folder of this machine."""

import asyncio
import builtins
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from bedplate.services.engines.workers import WorkerPool, Workers
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.services.storage.abort import run_to_end
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.errors import typed
from bedplate.services.storage.local_accounts import usage_of
from bedplate.services.storage.local_folder import Root
from bedplate.services.storage.local_operations import (
    annotate_file,
    copy_file,
    delete_file,
    delete_namespace,
    list_files,
    move_file,
    open_file_in,
    save_file,
    stat_file,
    undoing,
)
from bedplate.services.storage.local_streams import LocalContent, LocalUpload
from bedplate.services.storage.local_sweep import sweep
from bedplate.services.storage.models import FileInfo, Metadata, Namespace, SignedAccess, StorageUsage

__all__ = ["LocalFiles"]

P = ParamSpec("P")
T = TypeVar("T")

_log = get_logger("bedplate.storage")


class LocalFiles:
    """The backend ``local``; see :class:`~bedplate.services.storage.backend.StorageBackend`.

    Each call is one hop to a thread. A save is written under a temporary name in the same folder, flushed to the
    disk (``fsync``), renamed, and the folder flushed.

    Args:
        path: The folder.
        workers: Has the threads.
        threads: How many of them.
        low_space: Free bytes below which :meth:`check` gives a reason.
        reserved: Free bytes that files leave alone.
        quota: Most bytes of the files of one owner; 0: any number.
    """

    name = "local"

    def __init__(
        self, path: Path, workers: Workers, *, threads: int, low_space: int, reserved: int, quota: int = 0
    ) -> None:
        self._root = Root(path, reserved=reserved, quota=quota)
        self._workers = workers
        self._threads = threads
        self._low_space = low_space
        self._sweeping: asyncio.Task[None] | None = None

    @classmethod
    def from_settings(cls, settings: SettingsService, *, workers: Workers) -> Self:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        values = settings.values.storage
        path = settings.values.data_dir / "files"
        return cls(
            path,
            workers,
            threads=values.threads,
            low_space=values.low_space_bytes,
            reserved=values.reserved_bytes,
            quota=values.quota_bytes,
        )

    async def start(self) -> None:
        """Open the folder; what is left over is swept in the background, since nobody sees it."""
        await self.read(self._root.open)
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def stop(self) -> None:
        """Close the folder."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
            self._sweeping = None
        self._root.folder.close()

    async def check(self) -> str | None:
        """Look for space and the right to write."""
        return await self.read(self._look)

    async def save(self, namespace: Namespace, name: str, data: bytes, placing: Placing) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        undo = undoing(self._root, namespace, placing)
        return await self.change(save_file, self._root, namespace, name, data, placing, undo=undo)

    def upload(self, namespace: Namespace) -> LocalUpload:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return LocalUpload(self, self._root, namespace)

    async def open(self, namespace: Namespace, name: str) -> LocalContent:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return LocalContent(self, *await self.read(open_file_in, self._root, namespace, name))

    async def list(self, namespace: Namespace, after: str, limit: int, prefix: str) -> list[FileInfo]:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.read(list_files, self._root, namespace, after, limit, prefix)

    async def namespaces(self, after: str, limit: int) -> builtins.list[Namespace]:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.read(self._root.namespaces, after, limit)

    async def stat(self, namespace: Namespace, name: str, *, digest: bool) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.change(stat_file, self._root, namespace, name, digest)

    async def copy(
        self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing, max_bytes: int
    ) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        undo = undoing(self._root, target, placing)
        return await self.change(copy_file, self._root, source, name, target, new_name, placing, max_bytes, undo=undo)

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.change(move_file, self._root, source, name, target, new_name, placing)

    async def set_metadata(self, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.change(annotate_file, self._root, namespace, name, metadata, if_match)

    async def delete(self, namespace: Namespace, name: str, if_match: str | None) -> None:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        await self.change(delete_file, self._root, namespace, name, if_match)

    async def delete_namespace(self, namespace: Namespace) -> int:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.change(delete_namespace, self._root, namespace)

    async def delete_owner(self, owner: uuid.UUID) -> None:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        await self.change(lambda _abort: self._root.delete_owner(owner))

    async def usage(self, owner: uuid.UUID) -> StorageUsage:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self.read(usage_of, self._root, owner)

    async def presign(self, access: SignedAccess) -> None:
        """None: a folder has no links of its own."""

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call on a thread what only reads; a cancelled caller leaves it to itself."""
        try:
            return await self.pool().run(function, *args, **kwargs)
        except OSError as error:
            raise typed(error) from error

    async def change(self, function: Callable[..., T], *args: Any, undo: Callable[[T], None] | None = None) -> T:
        """Call on a thread what changes something; see :func:`run_to_end`."""
        try:
            return await run_to_end(self.pool(), function, *args, undo=undo)
        except OSError as error:
            raise typed(error) from error

    def pool(self) -> WorkerPool:
        """The threads."""
        return self._workers.pool("files", self._threads)

    async def _sweep(self) -> None:
        try:
            removed = await run_to_end(self.pool(), sweep, self._root)
        except Exception as error:
            _log.warning("what is left over could not be swept; it is tried again at the next start", error=error)
            return
        if removed:
            _log.info("swept what was left over of uploads and deletions", removed=removed)

    def _look(self) -> str | None:
        with self._root.folder.use() as root:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=root):
                raise PermissionError(13, "not writable")
            system = os.fstatvfs(root)
        free = system.f_bavail * system.f_frsize
        return f"{free} bytes of the disk are free" if free < self._low_space else None
