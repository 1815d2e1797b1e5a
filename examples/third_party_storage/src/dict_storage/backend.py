"""Files in dictionaries: no method waits, so that on one event loop each is atomic."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from bedplate.services.settings import SettingsService
from bedplate.services.storage import (
    FileChangedError,
    FileInfo,
    FileTakenError,
    FileTooLargeError,
    Metadata,
    Namespace,
    OnTaken,
    QuotaExceededError,
    SignedAccess,
    StorageUsage,
    StoredFileNotFoundError,
)
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.content_types import content_type_of
from bedplate.services.storage.names import numbered

__all__ = ["DictStorage"]


class _File(NamedTuple):
    data: bytes
    info: FileInfo


_Files = dict[Namespace, dict[str, _File]]

_KEPT: dict[Path, _Files] = {}
"""The files of the process, by data directory."""
_SAVES = count(1)


class _Content:
    """An open file: what it held when it was opened."""

    def __init__(self, file: _File) -> None:
        self.info = file.info
        self._data = file.data
        self._at, self._end = 0, len(file.data)

    def select(self, start: int, end: int) -> None:
        """Read these bytes alone."""
        self._at, self._end = start, end

    async def read(self, size: int) -> bytes:
        """The next bytes."""
        piece = self._data[self._at : min(self._at + size, self._end)]
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """There is nothing to give back."""


class _Upload:
    """A file on its way in."""

    def __init__(self, storage: "DictStorage", namespace: Namespace) -> None:
        self._storage = storage
        self._namespace = namespace
        self._chunks: list[bytes] = []

    async def write(self, chunks: Sequence[bytes]) -> None:
        """Add to it."""
        self._chunks += chunks

    async def commit(self, name: str, placing: Placing) -> FileInfo:
        """Make it visible."""
        return await self._storage.save(self._namespace, name, b"".join(self._chunks), placing)

    async def abort(self) -> None:
        """Forget it."""
        self._chunks.clear()


class DictStorage:
    """See ``bedplate.services.storage.backend.StorageBackend`` for what each method has to do."""

    name = "dict"

    def __init__(self, files: _Files, *, quota: int | None) -> None:
        self._files = files
        self._quota = quota

    @classmethod
    def from_settings(cls, settings: SettingsService) -> Self:
        """Make it: those of one data directory share their files, as they would on a disk."""
        files = _KEPT.setdefault(settings.values.data_dir, {})
        return cls(files, quota=settings.values.storage.quota_bytes or None)

    async def start(self) -> None:
        """There is nothing to open."""

    async def stop(self) -> None:
        """The files stay for as long as the process."""

    async def check(self) -> str | None:
        """It always works."""
        return None

    async def save(self, namespace: Namespace, name: str, data: bytes, placing: Placing) -> FileInfo:
        """Save a file."""
        return self._place(namespace, name, data, placing, placing.metadata)

    def upload(self, namespace: Namespace) -> _Upload:
        """Begin a file."""
        return _Upload(self, namespace)

    async def open(self, namespace: Namespace, name: str) -> _Content:
        """Open a file."""
        return _Content(self._file(namespace, name))

    async def list(self, namespace: Namespace, after: str, limit: int, prefix: str) -> "list[FileInfo]":
        """Files by name."""
        names = sorted(name for name in self._files.get(namespace, {}) if name > after and name.startswith(prefix))
        return [_listed(self._files[namespace][name].info) for name in names[:limit]]

    async def namespaces(self, after: str, limit: int) -> "list[Namespace]":
        """Namespaces by path."""
        paths = {f"{one.owner}/{one.kind}-{one.id}": one for one in self._files}
        return [paths[path] for path in sorted(paths) if path > after][:limit]

    async def stat(self, namespace: Namespace, name: str, *, digest: bool) -> FileInfo:
        """What is known of a file."""
        return self._file(namespace, name).info

    async def copy(
        self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing, max_bytes: int
    ) -> FileInfo:
        """Copy a file."""
        file = self._file(source, name)
        if len(file.data) > max_bytes:
            raise FileTooLargeError(max_bytes)
        return self._place(target, new_name, file.data, placing, placing.metadata or file.info.metadata)

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing) -> FileInfo:
        """Move a file."""
        file = self._file(source, name)
        if (source, name) == (target, new_name) and placing.on_taken is OnTaken.REPLACE:
            return file.info
        spare = len(file.data) if source.owner == target.owner else 0
        info = self._place(target, new_name, file.data, placing, placing.metadata or file.info.metadata, spare=spare)
        del self._files[source][name]
        return info

    async def set_metadata(self, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None) -> FileInfo:
        """Keep something else with a file."""
        file = self._matching(namespace, name, if_match)
        info = msgspec.structs.replace(file.info, metadata=metadata)
        self._files[namespace][name] = _File(file.data, info)
        return info

    async def delete(self, namespace: Namespace, name: str, if_match: str | None) -> None:
        """Delete a file."""
        self._matching(namespace, name, if_match)
        del self._files[namespace][name]
        if not self._files[namespace]:
            del self._files[namespace]

    async def delete_namespace(self, namespace: Namespace) -> int:
        """Delete all files of a namespace."""
        return len(self._files.pop(namespace, {}))

    async def delete_owner(self, owner: uuid.UUID) -> None:
        """Delete all files of an owner."""
        for namespace in [one for one in self._files if one.owner == owner]:
            del self._files[namespace]

    async def usage(self, owner: uuid.UUID) -> StorageUsage:
        """What an owner's files take up."""
        files = list(self._of(owner))
        return StorageUsage(bytes=sum(len(file.data) for file in files), files=len(files), quota=self._quota)

    async def presign(self, access: SignedAccess) -> str | None:
        """The service makes the links."""
        return None

    def _check_quota(self, owner: uuid.UUID, more: int, less: int) -> None:
        if self._quota is not None and sum(len(file.data) for file in self._of(owner)) + more - less > self._quota:
            raise QuotaExceededError(self._quota)

    def _place(
        self,
        namespace: Namespace,
        name: str,
        data: bytes,
        placing: Placing,
        metadata: Metadata | None,
        *,
        spare: int = 0,
    ) -> FileInfo:
        here = self._files.get(namespace, {})
        old = here.get(name)
        if placing.if_match is not None and (old is None or old.info.etag != placing.if_match):
            raise FileChangedError(name)
        if old is not None and placing.on_taken is OnTaken.REFUSE:
            raise FileTakenError(name)
        if old is not None and placing.on_taken is OnTaken.NUMBER:
            name, old = next(free for number in count(1) if (free := numbered(name, number)) not in here), None
        self._check_quota(namespace.owner, len(data), spare + (len(old.data) if old else 0))
        info = FileInfo(
            name=name,
            size=len(data),
            content_type=content_type_of(name),
            etag=f'"{next(_SAVES):x}"',
            modified_at=datetime.now(UTC),
            sha256=hashlib.sha256(data).hexdigest(),
            metadata=metadata or {},
        )
        self._files.setdefault(namespace, {})[name] = _File(data, info)
        return info

    def _file(self, namespace: Namespace, name: str) -> _File:
        try:
            return self._files[namespace][name]
        except KeyError:
            raise StoredFileNotFoundError from None

    def _matching(self, namespace: Namespace, name: str, if_match: str | None) -> _File:
        file = self._file(namespace, name)
        if if_match is not None and file.info.etag != if_match:
            raise FileChangedError(name)
        return file

    def _of(self, owner: uuid.UUID) -> Iterable[_File]:
        return (file for namespace, files in self._files.items() if namespace.owner == owner for file in files.values())


def _listed(info: FileInfo) -> FileInfo:
    return msgspec.structs.replace(info, sha256=None, metadata=None)
