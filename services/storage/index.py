"""The index of files whose content is kept as objects: names, versions, sums and waste, in the database.

Every change is one transaction in which nobody else changes files of the same owner, so that conditions, quotas and
the deletion of a namespace are decided for all replicas at once, whatever the object store can do. An object is noted
before it is made, and again when its file goes: what is noted and due belongs to nobody, and is removed.
"""

import itertools
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import TypeVar

import sqlalchemy as sa

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.stored_file import Place, StoredFile, StoredFileRepository
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.content_types import content_type_of
from bedplate.services.storage.errors import (
    FileChangedError,
    FileTakenError,
    QuotaExceededError,
    StoredFileNotFoundError,
    UploadExpiredError,
)
from bedplate.services.storage.metadata import decode_metadata, encode_metadata
from bedplate.services.storage.models import FileInfo, Metadata, Namespace, OnTaken, StorageUsage
from bedplate.services.storage.names import numbered

__all__ = ["FileIndex"]

T = TypeVar("T")

_NAMES_AT_ONCE = 50


class FileIndex:
    """Files by namespace and name.

    Args:
        database: Where it is kept.
        quota: Most bytes of the files of one owner; 0: any number.
        grace: Seconds for which the object of a file that went is kept.
    """

    def __init__(self, database: DatabaseService, *, quota: int, grace: float) -> None:
        self._database = database
        self._quota = quota
        self._grace = timedelta(seconds=grace)

    async def find(self, namespace: Namespace, name: str) -> tuple[uuid.UUID, FileInfo]:
        """The key and what is known of a file.

        Raises:
            StoredFileNotFoundError: There is none.
        """
        file = await self._read(lambda files: _present(files, namespace, name))
        return file.key, _info(file)

    async def list(self, namespace: Namespace, after: str, limit: int, prefix: str) -> list[FileInfo]:
        """The first files by name."""
        start = prefix.encode(errors="replace")
        found = await self._read(lambda files: files.list(_place(namespace), after.encode(), limit, start))
        return [_info(file, listed=True) for file in found]

    async def namespaces(self, after: str, limit: int) -> Sequence[Namespace]:
        """The first namespaces after one, which is given as ``<owner>/<kind>-<id>``."""
        places = await self._read(lambda files: files.places(_parsed(after), limit))
        return [Namespace(owner=owner, kind=kind, id=of) for owner, kind, of in places]

    async def usage(self, owner: uuid.UUID) -> StorageUsage:
        """What the files of an owner take up."""
        size, count = await self._read(lambda files: files.usage(owner))
        return StorageUsage(bytes=size, files=count, quota=self._quota or None)

    async def require_room(self, owner: uuid.UUID, size: int, replaced: int = 0) -> None:
        """Refuse early what could not be placed as things are now.

        Raises:
            QuotaExceededError: It is more than the owner may have.
        """
        if self._quota and (await self.usage(owner)).bytes - replaced + size > self._quota:
            raise QuotaExceededError(self._quota)

    async def place(
        self, key: uuid.UUID, namespace: Namespace, name: str, placing: Placing, size: int, sha256: str
    ) -> FileInfo:
        """Give an object, which was reserved, a name.

        Raises:
            FileTakenError: The name is taken.
            FileChangedError: The file is not the version that is named.
            QuotaExceededError: It is more than the owner may have.
            UploadExpiredError: The object has been given up.
        """
        info = encode_metadata(placing.metadata or {})

        def work(files: StoredFileRepository) -> StoredFile:
            wanted, replaced = _settled(files, namespace, name, placing)
            self._require(files, namespace.owner, size - (replaced.size if replaced else 0), size)
            now = utc_now()
            file = StoredFile(key, *_place(namespace), wanted.encode(), size, sha256, info, now)
            placed = files.add(file, now) if replaced is None else files.replace(replaced, file, now, now + self._grace)
            if not placed:
                raise UploadExpiredError
            return file

        return _info(await self._change(work, namespace.owner))

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing) -> FileInfo:
        """Give a file another name; its object stays."""

        def work(files: StoredFileRepository) -> StoredFile:
            file = _present(files, source, name)
            if (source, name) == (target, new_name) and placing.on_taken is OnTaken.REPLACE:
                return file
            wanted, replaced = _settled(files, target, new_name, placing)
            if source.owner != target.owner:
                self._require(files, target.owner, file.size - (replaced.size if replaced else 0), file.size)
            if replaced is not None:
                files.discard(utc_now() + self._grace, replaced)
            moved = file._replace(name=wanted.encode(), **_place(target)._asdict())
            files.change(moved)
            return moved

        return _info(await self._change(work, source.owner, target.owner))

    async def annotate(self, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None) -> FileInfo:
        """Keep other metadata with a file."""

        def work(files: StoredFileRepository) -> StoredFile:
            file = _present(files, namespace, name)
            _require_version(file, name, if_match)
            annotated = file._replace(info=encode_metadata(metadata))
            files.change(annotated)
            return annotated

        return _info(await self._change(work, namespace.owner))

    async def remove(self, namespace: Namespace, name: str, if_match: str | None) -> None:
        """Take a file out of the index."""

        def work(files: StoredFileRepository) -> None:
            file = _present(files, namespace, name)
            _require_version(file, name, if_match)
            files.discard(utc_now() + self._grace, file)

        await self._change(work, namespace.owner)

    async def remove_all(self, owner: uuid.UUID, namespace: Namespace | None = None) -> int:
        """Take all files of a namespace, or of an owner, out of the index; how many there were."""
        place = None if namespace is None else _place(namespace)
        return await self._change(lambda files: files.discard_all(utc_now() + self._grace, owner, place), owner)

    async def reserve(self, keys: Sequence[uuid.UUID], seconds: float) -> None:
        """Note the keys of objects that are about to be made; they are due if nobody places them in that time."""
        await self._change(lambda files: files.reserve(keys, utc_now() + timedelta(seconds=seconds)))

    async def due(self, limit: int) -> dict[uuid.UUID, bool]:
        """The keys of objects to be removed now, and whether each is of an upload."""
        return await self._read(lambda files: files.due(utc_now(), limit))

    async def forget(self, keys: Collection[uuid.UUID]) -> None:
        """Note that objects are not there any more."""
        await self._change(lambda files: files.forget(keys))

    async def _read(self, work: Callable[[StoredFileRepository], T]) -> T:
        return await self._database.read(lambda connection: work(StoredFileRepository(connection)))

    async def _change(self, work: Callable[[StoredFileRepository], T], *owners: uuid.UUID) -> T:
        def alone(connection: sa.Connection) -> T:
            files = StoredFileRepository(connection)
            files.lock(owners)
            return work(files)

        return await self._database.write(alone)

    def _require(self, files: StoredFileRepository, owner: uuid.UUID, more: int, size: int) -> None:
        if self._quota and size and files.usage(owner)[0] + more > self._quota:
            raise QuotaExceededError(self._quota)


def _settled(
    files: StoredFileRepository, namespace: Namespace, name: str, placing: Placing
) -> tuple[str, StoredFile | None]:
    """The name that a file gets, and the file that it replaces."""
    taken = files.get(_place(namespace), name.encode())
    if placing.if_match is not None:
        if taken is None:
            raise FileChangedError(name)
        _require_version(taken, name, placing.if_match)
    elif taken is not None and placing.on_taken is OnTaken.REFUSE:
        raise FileTakenError(name)
    elif taken is not None and placing.on_taken is OnTaken.NUMBER:
        return _free(files, namespace, name), None
    return name, taken


def _free(files: StoredFileRepository, namespace: Namespace, name: str) -> str:
    for start in itertools.count(1, _NAMES_AT_ONCE):
        names = [numbered(name, number) for number in range(start, start + _NAMES_AT_ONCE)]
        taken = files.taken(_place(namespace), [one.encode() for one in names])
        for one in names:
            if one.encode() not in taken:
                return one
    raise AssertionError("numbers do not end")


def _present(files: StoredFileRepository, namespace: Namespace, name: str) -> StoredFile:
    file = files.get(_place(namespace), name.encode())
    if file is None:
        raise StoredFileNotFoundError
    return file


def _require_version(file: StoredFile, name: str, if_match: str | None) -> None:
    if if_match is not None and _etag(file) != if_match:
        raise FileChangedError(name)


def _etag(file: StoredFile) -> str:
    return f'"{file.key.hex}"'


def _info(file: StoredFile, *, listed: bool = False) -> FileInfo:
    name = file.name.decode()
    return FileInfo(
        name=name,
        size=file.size,
        content_type=content_type_of(name),
        etag=_etag(file),
        modified_at=file.modified_at,
        sha256=None if listed else file.sha256,
        metadata=None if listed else decode_metadata(file.info),
    )


def _place(namespace: Namespace) -> Place:
    return Place(namespace.owner, namespace.kind, namespace.id)


def _parsed(text: str) -> Place | None:
    if not text:
        return None
    owner, _, rest = text.partition("/")
    kind, _, of = rest.partition("-")
    return Place(uuid.UUID(owner), kind, uuid.UUID(of))
