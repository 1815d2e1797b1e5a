"""Queries for rows of which there may be more than one statement can name."""

import uuid
from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

__all__ = ["among"]

_AT_ONCE: Final = 500
"""Ids in one statement: far below what any database takes."""


async def among(
    session: AsyncSession, query: sa.Select[uuid.UUID], column: Any, ids: Collection[uuid.UUID]
) -> frozenset[uuid.UUID]:
    """What ``query`` selects of those rows whose ``column`` is one of ``ids``."""
    rest = list(ids)
    found: set[uuid.UUID] = set()
    connection = await session.connection() if rest else None
    while rest and connection is not None:
        some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
        found.update((await connection.execute(query.where(column.in_(some)))).scalars())
    return frozenset(found)
