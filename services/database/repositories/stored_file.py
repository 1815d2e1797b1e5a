"""Queries over the files whose content is kept as objects, for the storage service.

They are statements without a session: each save and each read makes some, and rows would cost as much again.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from bedplate.services.database.models import PREFIX, UTCDateTime, metadata

__all__ = ["Place", "StoredFile", "StoredFileRepository"]

_FILES = metadata.tables[f"{PREFIX}stored_file"]
_WASTE = metadata.tables[f"{PREFIX}stored_waste"]


class Place(NamedTuple):
    """Where files are: whose they are, and what they hang on."""

    owner_id: uuid.UUID
    kind: str
    of_id: uuid.UUID


class StoredFile(NamedTuple):
    """A file, as of :class:`~bedplate.services.database.models.StoredFileRow`."""

    key: uuid.UUID
    owner_id: uuid.UUID
    kind: str
    of_id: uuid.UUID
    name: bytes
    size: int
    sha256: str
    info: bytes
    modified_at: datetime


# Made once: making a statement costs as much as executing it.
_COLUMNS = [_FILES.c[name] for name in StoredFile._fields]
_AT = (
    _FILES.c.owner_id == sa.bindparam("owner"),
    _FILES.c.kind == sa.bindparam("kind"),
    _FILES.c.of_id == sa.bindparam("of"),
)
_GET = sa.select(*_COLUMNS).where(*_AT, _FILES.c.name == sa.bindparam("name"))
_RESERVED = (_WASTE.c.key == sa.bindparam("reserved"), _WASTE.c.uploading, _WASTE.c.due_at > sa.bindparam("now"))
_TAKE = sa.delete(_WASTE).where(*_RESERVED)
_SWAP = (
    sa.update(_WASTE).where(*_RESERVED).values(key=sa.bindparam("old"), uploading=False, due_at=sa.bindparam("until"))
)
_INSERT = sa.insert(_FILES)
_DELETE = sa.delete(_FILES).where(_FILES.c.key == sa.bindparam("old"))
_CHANGE = (
    sa.update(_FILES)
    .where(_FILES.c.key == sa.bindparam("old"))
    .values({name: sa.bindparam(f"new_{name}") for name in StoredFile._fields})
)
_USAGE = sa.select(sa.func.coalesce(sa.func.sum(_FILES.c.size), 0), sa.func.count()).where(
    _FILES.c.owner_id == sa.bindparam("owner")
)


class StoredFileRepository:
    """Files and objects in one transaction, or over one connection that reads.

    Args:
        connection: The connection to work with.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def lock(self, owners: Collection[uuid.UUID]) -> None:
        """Let this transaction alone change the files of these owners until its end.

        On SQLite one transaction writes at a time anyway.
        """
        if self._connection.dialect.name == "sqlite":
            return
        for owner in sorted(set(owners)):  # in one order, so that two never wait for each other
            number = int.from_bytes(owner.bytes[:8], "big", signed=True) ^ int.from_bytes(
                owner.bytes[8:], "big", signed=True
            )
            self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    def get(self, place: Place, name: bytes) -> StoredFile | None:
        """The file of a name."""
        row = self._connection.execute(_GET, {**_at(place), "name": name}).one_or_none()
        return None if row is None else StoredFile(*row)

    def taken(self, place: Place, names: Collection[bytes]) -> set[bytes]:
        """Those of the names that files have."""
        query = sa.select(_FILES.c.name).where(*_AT, _FILES.c.name.in_(list(names)))
        return set(self._connection.scalars(query, _at(place)))

    def add(self, file: StoredFile, now: datetime) -> bool:
        """Insert a file whose object was reserved; False: that is due, or was removed, and nothing has changed."""
        if not self._write(_TAKE, reserved=file.key, now=now):
            return False
        self._connection.execute(_INSERT, file._asdict())
        return True

    def replace(self, old: StoredFile, file: StoredFile, now: datetime, due_at: datetime) -> bool:
        """Put a file in the place of another, as :meth:`add`; the object of that one is due at that time."""
        if not self._write(_SWAP, reserved=file.key, now=now, old=old.key, until=due_at):
            return False
        self._change(old.key, file)
        return True

    def change(self, file: StoredFile) -> None:
        """Write what was changed of a file: anything but its key."""
        self._change(file.key, file)

    def list(self, place: Place, after: bytes, limit: int, prefix: bytes) -> Sequence[StoredFile]:
        """The first files of a place by name."""
        conditions = [*_AT, _FILES.c.name > after]
        if prefix:  # no byte of UTF-8 is 0xff
            conditions += [_FILES.c.name >= prefix, _FILES.c.name < prefix[:-1] + bytes([prefix[-1] + 1])]
        query = sa.select(*_COLUMNS).where(*conditions).order_by(_FILES.c.name).limit(limit)
        return [StoredFile(*row) for row in self._connection.execute(query, _at(place))]

    def places(self, after: Place | None, limit: int) -> Sequence[Place]:
        """The first places, in an order of their own."""
        columns = (_FILES.c.owner_id, _FILES.c.kind, _FILES.c.of_id)
        query = sa.select(*columns).distinct().order_by(*columns).limit(limit)
        if after is not None:
            query = query.where(sa.tuple_(*columns) > sa.tuple_(*after, types=[sa.Uuid(), sa.String(), sa.Uuid()]))
        return [Place(*row) for row in self._connection.execute(query)]

    def usage(self, owner: uuid.UUID) -> tuple[int, int]:
        """Bytes and number of an owner's files."""
        size, files = self._connection.execute(_USAGE, {"owner": owner}).one()
        return int(size), int(files)

    def discard(self, due_at: datetime, file: StoredFile) -> None:
        """Delete a file; its object is due for removal at that time."""
        self._waste([file.key], due_at, uploading=False)
        self._write(_DELETE, old=file.key)

    def discard_all(self, due_at: datetime, owner: uuid.UUID, place: Place | None = None) -> int:
        """Delete all files of a place, or of an owner; how many there were."""
        conditions = [_FILES.c.owner_id == owner]
        if place is not None:
            conditions += [_FILES.c.kind == place.kind, _FILES.c.of_id == place.of_id]
        keys = sa.select(_FILES.c.key, sa.literal(False), sa.literal(due_at, UTCDateTime())).where(*conditions)
        self._connection.execute(sa.insert(_WASTE).from_select(["key", "uploading", "due_at"], keys))
        return self._connection.execute(sa.delete(_FILES).where(*conditions)).rowcount

    def reserve(self, keys: Sequence[uuid.UUID], due_at: datetime) -> None:
        """Note objects that uploads may make, so that they are found if nobody comes back for them."""
        self._waste(keys, due_at, uploading=True)

    def forget(self, keys: Collection[uuid.UUID]) -> None:
        """Delete the notes of objects that are not there any more."""
        self._connection.execute(sa.delete(_WASTE).where(_WASTE.c.key.in_(list(keys))))

    def due(self, now: datetime, limit: int) -> dict[uuid.UUID, bool]:
        """Some of the objects that are due for removal, oldest first, and whether each is of an upload."""
        query = sa.select(_WASTE.c.key, _WASTE.c.uploading).where(_WASTE.c.due_at <= now)
        rows = self._connection.execute(query.order_by(_WASTE.c.due_at).limit(limit))
        return {row.key: row.uploading for row in rows}

    def _waste(self, keys: Sequence[uuid.UUID], due_at: datetime, *, uploading: bool) -> None:
        rows = [{"key": key, "uploading": uploading, "due_at": due_at} for key in keys]
        self._connection.execute(sa.insert(_WASTE), rows)

    def _change(self, key: uuid.UUID, file: StoredFile) -> None:
        self._write(_CHANGE, old=key, **{f"new_{name}": value for name, value in file._asdict().items()})

    def _write(self, statement: sa.Executable, **parameters: Any) -> int:
        return self._connection.execute(statement, parameters).rowcount


def _at(place: Place) -> dict[str, Any]:
    return {"owner": place.owner_id, "kind": place.kind, "of": place.of_id}
