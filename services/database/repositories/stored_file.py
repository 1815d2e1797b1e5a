"""Queries over the files whose content is kept as objects, for the storage service."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, StoredFileRow, StoredWasteRow, UTCDateTime, metadata

__all__ = ["Place", "StoredFileRepository"]

_FILE, _WASTE = StoredFileRow, StoredWasteRow
_TABLE = metadata.tables[f"{PREFIX}stored_file"]
_WASTES = metadata.tables[f"{PREFIX}stored_waste"]

# What every save and every read does, made once: making a statement costs as much as executing it.
_LOOK = sa.select(*_TABLE.c).where(
    _TABLE.c.owner_id == sa.bindparam("owner"),
    _TABLE.c.kind == sa.bindparam("kind"),
    _TABLE.c.of_id == sa.bindparam("of"),
    _TABLE.c.name == sa.bindparam("name"),
)
_RESERVED = (_WASTES.c.key == sa.bindparam("reserved"), _WASTES.c.uploading, _WASTES.c.due_at > sa.bindparam("now"))
_TAKE = sa.delete(_WASTES).where(*_RESERVED)
_SWAP = (
    sa.update(_WASTES).where(*_RESERVED).values(key=sa.bindparam("old"), uploading=False, due_at=sa.bindparam("until"))
)
_INSERT = sa.insert(_TABLE)
_REPLACE = (
    sa.update(_TABLE)
    .where(_TABLE.c.key == sa.bindparam("old"))
    .values({column.name: sa.bindparam(f"new_{column.name}") for column in _TABLE.c})
)


class Place(NamedTuple):
    """Where files are: whose they are, and what they hang on."""

    owner_id: uuid.UUID
    kind: str
    of_id: uuid.UUID


class StoredFileRepository:
    """Files and objects in one session or transaction.

    Args:
        session: The session or transaction to work in.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock(self, owners: Collection[uuid.UUID]) -> None:
        """Let this transaction alone change the files of these owners until its end.

        On SQLite one transaction writes at a time anyway.
        """
        if self._session.get_bind().dialect.name == "sqlite":
            return
        for owner in sorted(set(owners)):  # in one order, so that two never wait for each other
            number = int.from_bytes(owner.bytes[:8], "big", signed=True) ^ int.from_bytes(
                owner.bytes[8:], "big", signed=True
            )
            await (await self._session.connection()).execute(sa.select(sa.func.pg_advisory_xact_lock(number)))

    async def get(self, place: Place, name: bytes) -> StoredFileRow | None:
        """The file of a name."""
        query = select(_FILE).where(*_in(place), col(_FILE.name) == name)
        return (await self._session.exec(query.execution_options(populate_existing=True))).one_or_none()

    async def taken(self, place: Place, names: Collection[bytes]) -> set[bytes]:
        """Those of the names that files have."""
        query = select(_FILE.name).where(*_in(place), col(_FILE.name).in_(list(names)))
        return set((await self._session.exec(query)).all())

    async def look(self, place: Place, name: bytes) -> StoredFileRow | None:
        """The file of a name, to be looked at and not to be changed: a row without the cost of a mapped object."""
        connection = await self._session.connection()
        owner, kind, of = place
        rows = await connection.execute(_LOOK, {"owner": owner, "kind": kind, "of": of, "name": name})
        return cast("StoredFileRow | None", rows.one_or_none())

    async def add(self, row: StoredFileRow, now: datetime) -> bool:
        """Insert a file whose object was reserved; False: that is due, or was removed, and nothing has changed."""
        if not await self._write(_TAKE, reserved=row.key, now=now):
            return False
        await self._write(_INSERT, **row.model_dump())
        return True

    async def replace(self, old: StoredFileRow, row: StoredFileRow, now: datetime, due_at: datetime) -> bool:
        """Put a file in the place of another, as :meth:`add`; the object of that one is due at that time."""
        if not await self._write(_SWAP, reserved=row.key, now=now, old=old.key, until=due_at):
            return False
        await self._write(_REPLACE, old=old.key, **{f"new_{name}": value for name, value in row.model_dump().items()})
        return True

    async def flush(self) -> None:
        """Write what was changed of files."""
        await self._session.flush()

    async def list(self, place: Place, after: bytes, limit: int, prefix: bytes) -> Sequence[StoredFileRow]:
        """The first files of a place by name."""
        conditions = [*_in(place), col(_FILE.name) > after]
        if prefix:  # no byte of UTF-8 is 0xff
            conditions += [col(_FILE.name) >= prefix, col(_FILE.name) < prefix[:-1] + bytes([prefix[-1] + 1])]
        query = select(_FILE).where(*conditions).order_by(col(_FILE.name)).limit(limit)
        return (await self._session.exec(query)).all()

    async def places(self, after: Place | None, limit: int) -> Sequence[Place]:
        """The first places, in an order of their own."""
        columns = (col(_FILE.owner_id), col(_FILE.kind), col(_FILE.of_id))
        query = sa.select(*columns).distinct().order_by(*columns).limit(limit)
        if after is not None:
            query = query.where(sa.tuple_(*columns) > sa.tuple_(*after, types=[sa.Uuid(), sa.String(), sa.Uuid()]))
        return [Place(*row) for row in await (await self._session.connection()).execute(query)]

    async def usage(self, owner: uuid.UUID) -> tuple[int, int]:
        """Bytes and number of an owner's files."""
        query = sa.select(sa.func.coalesce(sa.func.sum(_FILE.size), 0), sa.func.count()).where(
            col(_FILE.owner_id) == owner
        )
        size, files = (await (await self._session.connection()).execute(query)).one()
        return int(size), int(files)

    async def discard(self, due_at: datetime, row: StoredFileRow) -> None:
        """Delete a file; its object is due for removal at that time."""
        await self._waste([row.key], due_at, uploading=False)
        await self._write(sa.delete(_FILE).where(col(_FILE.key) == row.key))

    async def discard_all(self, due_at: datetime, owner: uuid.UUID, place: Place | None = None) -> int:
        """Delete all files of a place, or of an owner; how many there were."""
        conditions = _in(place) if place is not None else [col(_FILE.owner_id) == owner]
        keys = sa.select(col(_FILE.key), sa.literal(False), sa.literal(due_at, UTCDateTime())).where(*conditions)
        await self._write(sa.insert(_WASTE).from_select(["key", "uploading", "due_at"], keys))
        return await self._write(sa.delete(_FILE).where(*conditions))

    async def reserve(self, keys: Sequence[uuid.UUID], due_at: datetime) -> None:
        """Note objects that uploads may make, so that they are found if nobody comes back for them."""
        await self._waste(keys, due_at, uploading=True)

    async def forget(self, keys: Collection[uuid.UUID]) -> None:
        """Delete the notes of objects that are not there any more."""
        await self._write(sa.delete(_WASTE).where(col(_WASTE.key).in_(list(keys))))

    async def due(self, now: datetime, limit: int) -> Sequence[StoredWasteRow]:
        """Some of the objects that are due for removal, oldest first."""
        query = select(_WASTE).where(col(_WASTE.due_at) <= now).order_by(col(_WASTE.due_at)).limit(limit)
        return (await self._session.exec(query)).all()

    async def _waste(self, keys: Sequence[uuid.UUID], due_at: datetime, *, uploading: bool) -> None:
        rows = [{"key": key, "uploading": uploading, "due_at": due_at} for key in keys]
        connection = await self._session.connection()
        await connection.execute(sa.insert(_WASTE), rows)

    async def _write(self, statement: sa.Executable, **parameters: Any) -> int:
        connection = await self._session.connection()
        result: sa.CursorResult[Any] = await connection.execute(statement, parameters)
        return result.rowcount


def _in(place: Place) -> list[sa.ColumnElement[bool]]:
    return [
        col(_FILE.owner_id) == place.owner_id,
        col(_FILE.kind) == place.kind,
        col(_FILE.of_id) == place.of_id,
    ]
