"""The index of files whose content is kept as objects: names, versions, sums and waste, in the database.

Every change is one transaction in which nobody else changes files of the same owner, so that conditions, quotas and
the deletion of a namespace are decided for all replicas at once, whatever the object store can do. An object is noted
before it is made, and again when its file goes: what is noted and due belongs to nobody, and is removed.
"""

import itertools
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import StoredFileRow, utc_now
from bedplate.services.database.repositories.stored_file import Place, StoredFileRepository
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
        async with self._database.session() as session:
            row = _present(await StoredFileRepository(session).look(_place(namespace), name.encode()))
        return row.key, _info(row)

    async def list(self, namespace: Namespace, after: str, limit: int, prefix: str) -> list[FileInfo]:
        """The first files by name."""
        async with self._database.session() as session:
            rows = await StoredFileRepository(session).list(
                _place(namespace), after.encode(), limit, prefix.encode(errors="replace")
            )
        return [_info(row, listed=True) for row in rows]

    async def namespaces(self, after: str, limit: int) -> Sequence[Namespace]:
        """The first namespaces after one, which is given as ``<owner>/<kind>-<id>``."""
        async with self._database.session() as session:
            places = await StoredFileRepository(session).places(_parsed(after), limit)
        return [Namespace(owner=owner, kind=kind, id=of) for owner, kind, of in places]

    async def usage(self, owner: uuid.UUID) -> StorageUsage:
        """What the files of an owner take up."""
        async with self._database.session() as session:
            size, files = await StoredFileRepository(session).usage(owner)
        return StorageUsage(bytes=size, files=files, quota=self._quota or None)

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
        async with self._changing(namespace.owner) as files:
            name, replaced = await self._settle(files, namespace, name, placing)
            await self._require(files, namespace.owner, size - (replaced.size if replaced else 0), size)
            now = utc_now()
            row = StoredFileRow(
                key=key,
                **_place(namespace)._asdict(),
                name=name.encode(),
                size=size,
                sha256=sha256,
                info=encode_metadata(placing.metadata or {}),
                modified_at=now,
            )
            if replaced is None:
                placed = await files.add(row, now)
            else:
                placed = await files.replace(replaced, row, now, self._due())
            if not placed:
                raise UploadExpiredError
        return _info(row)

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing) -> FileInfo:
        """Give a file another name; its object stays."""
        async with self._changing(source.owner, target.owner) as files:
            row = _present(await files.get(_place(source), name.encode()))
            if (source, name) == (target, new_name) and placing.on_taken is OnTaken.REPLACE:
                return _info(row)
            new_name, replaced = await self._settle(files, target, new_name, placing)
            if source.owner != target.owner:
                await self._require(files, target.owner, row.size - (replaced.size if replaced else 0), row.size)
            if replaced is not None:
                await files.discard(self._due(), replaced)
            row.owner_id, row.kind, row.of_id = _place(target)
            row.name = new_name.encode()
            await files.flush()
        return _info(row)

    async def annotate(self, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None) -> FileInfo:
        """Keep other metadata with a file."""
        async with self._changing(namespace.owner) as files:
            row = _present(await files.get(_place(namespace), name.encode()))
            _require_version(row, name, if_match)
            row.info = encode_metadata(metadata)
            await files.flush()
        return _info(row)

    async def remove(self, namespace: Namespace, name: str, if_match: str | None) -> None:
        """Take a file out of the index."""
        async with self._changing(namespace.owner) as files:
            row = _present(await files.get(_place(namespace), name.encode()))
            _require_version(row, name, if_match)
            await files.discard(self._due(), row)

    async def remove_all(self, owner: uuid.UUID, namespace: Namespace | None = None) -> int:
        """Take all files of a namespace, or of an owner, out of the index; how many there were."""
        async with self._changing(owner) as files:
            return await files.discard_all(self._due(), owner, None if namespace is None else _place(namespace))

    async def reserve(self, keys: Sequence[uuid.UUID], seconds: float) -> None:
        """Note the keys of objects that are about to be made; they are due if nobody places them in that time."""
        async with self._database.transaction() as session:
            await StoredFileRepository(session).reserve(keys, utc_now() + timedelta(seconds=seconds))

    async def due(self, limit: int) -> dict[uuid.UUID, bool]:
        """The keys of objects to be removed now, and whether each is of an upload."""
        async with self._database.session() as session:
            rows = await StoredFileRepository(session).due(utc_now(), limit)
        return {row.key: row.uploading for row in rows}

    async def forget(self, keys: Collection[uuid.UUID]) -> None:
        """Note that objects are not there any more."""
        async with self._database.transaction() as session:
            await StoredFileRepository(session).forget(keys)

    @asynccontextmanager
    async def _changing(self, *owners: uuid.UUID) -> AsyncIterator[StoredFileRepository]:
        async with self._database.transaction() as session:
            files = StoredFileRepository(session)
            await files.lock(owners)
            yield files

    async def _settle(
        self, files: StoredFileRepository, namespace: Namespace, name: str, placing: Placing
    ) -> tuple[str, StoredFileRow | None]:
        """The name that a file gets, and the file that it replaces."""
        taken = await files.look(_place(namespace), name.encode())
        if placing.if_match is not None:
            if taken is None:
                raise FileChangedError(name)
            _require_version(taken, name, placing.if_match)
        elif taken is not None and placing.on_taken is OnTaken.REFUSE:
            raise FileTakenError(name)
        elif taken is not None and placing.on_taken is OnTaken.NUMBER:
            return await _free(files, namespace, name), None
        return name, taken

    async def _require(self, files: StoredFileRepository, owner: uuid.UUID, more: int, size: int) -> None:
        if self._quota and size and (await files.usage(owner))[0] + more > self._quota:
            raise QuotaExceededError(self._quota)

    def _due(self) -> datetime:
        return utc_now() + self._grace


async def _free(files: StoredFileRepository, namespace: Namespace, name: str) -> str:
    for start in itertools.count(1, _NAMES_AT_ONCE):
        names = [numbered(name, number) for number in range(start, start + _NAMES_AT_ONCE)]
        taken = await files.taken(_place(namespace), [one.encode() for one in names])
        for one in names:
            if one.encode() not in taken:
                return one
    raise AssertionError("numbers do not end")


def _present(row: StoredFileRow | None) -> StoredFileRow:
    if row is None:
        raise StoredFileNotFoundError
    return row


def _require_version(row: StoredFileRow, name: str, if_match: str | None) -> None:
    if if_match is not None and _etag(row) != if_match:
        raise FileChangedError(name)


def _etag(row: StoredFileRow) -> str:
    return f'"{row.key.hex}"'


def _info(row: StoredFileRow, *, listed: bool = False) -> FileInfo:
    name = row.name.decode()
    return FileInfo(
        name=name,
        size=row.size,
        content_type=content_type_of(name),
        etag=_etag(row),
        modified_at=row.modified_at,
        sha256=None if listed else row.sha256,
        metadata=None if listed else decode_metadata(row.info),
    )


def _place(namespace: Namespace) -> Place:
    return Place(namespace.owner, namespace.kind, namespace.id)


def _parsed(text: str) -> Place | None:
    if not text:
        return None
    owner, _, rest = text.partition("/")
    kind, _, of = rest.partition("-")
    return Place(uuid.UUID(owner), kind, uuid.UUID(of))
