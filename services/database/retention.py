"""How long rows are kept, and how many of them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from bedplate.services.database.models import Table, utc_now
from bedplate.services.database.repositories.retention import RetentionRepository
from bedplate.services.database.service import DatabaseService
from bedplate.services.logs import get_logger

__all__ = ["BATCH", "Retention", "delete_old"]

BATCH = 1_000
"""Rows that one batch deletes at most: others who write wait as long as that takes."""

_log = get_logger("bedplate.database")


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a table.

    Attributes:
        model: The table.
        time: The column that says how old a row is; it should have an index.
        id: The column of the primary key.
        seconds: How long a row is kept; 0: for ever.
        rows: How many are kept, the latest; 0: any number.
    """

    model: type[Table]
    time: str
    id: str = "id"
    seconds: float = 0
    rows: int = 0


async def delete_old(database: DatabaseService, kept: Sequence[Retention], *, limit: int = BATCH) -> Mapping[str, int]:
    """Delete one batch of what is older, or more, than is kept; call it again while it deletes something.

    Args:
        database: The database.
        kept: What is kept of each table.
        limit: Rows that are deleted at most, of each table, in a transaction of its own.

    Returns:
        How many rows of each table were deleted.
    """
    deleted: dict[str, int] = {}
    for one in kept:
        count = 0
        async with database.transaction() as session:
            repository = RetentionRepository(session, one.model, time=one.time, id=one.id)
            if one.seconds:
                count = await repository.delete_before(utc_now() - timedelta(seconds=one.seconds), limit)
            if one.rows and count < limit:
                count += await repository.delete_over(one.rows, limit - count)
        deleted[str(one.model.__tablename__)] = count
    if any(deleted.values()):
        _log.info("old rows deleted", **deleted)
    return deleted
