"""Queries over who likes what in the store."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, StoreComponentRow, StoreLikeRow, metadata, utc_now
from bedplate.services.database.repositories.store import StoreRepository
from bedplate.services.database.upsert import insert_or

__all__ = ["StoreLikesRepository", "likes_of"]

_TABLE = metadata.tables[f"{PREFIX}store_like"]


def likes_of(component_id: sa.SQLColumnExpression[uuid.UUID]) -> sa.ScalarSelect[int]:
    """How many like the component of this id, as part of a query."""
    return (
        sa.select(sa.func.count())
        .select_from(StoreLikeRow)
        .where(col(StoreLikeRow.component_id) == component_id)
        .correlate(StoreComponentRow)
        .scalar_subquery()
    )


class StoreLikesRepository:
    """The likes of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The user.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def has(self, component_id: uuid.UUID) -> bool:
        """Whether the user likes a component."""
        mine = (col(StoreLikeRow.component_id) == component_id, col(StoreLikeRow.user_id) == self._user_id)
        return (await self._session.exec(select(StoreLikeRow.user_id).where(*mine))).first() is not None

    async def set(self, component_id: uuid.UUID, *, liked: bool) -> None:
        """Let the user like a component, or no longer."""
        connection = await self._session.connection()
        if not liked:
            mine = (col(StoreLikeRow.component_id) == component_id, col(StoreLikeRow.user_id) == self._user_id)
            await connection.execute(sa.delete(StoreLikeRow).where(*mine))
            return
        new = {"component_id": component_id, "user_id": self._user_id, "created_at": utc_now()}
        # Another replica may be at it at the same moment.
        await connection.execute(insert_or(connection.dialect, _TABLE).values(new).on_conflict_do_nothing())

    async def count(self, component_id: uuid.UUID) -> int:
        """How many like a component."""
        statement = (
            select(sa.func.count()).select_from(StoreLikeRow).where(col(StoreLikeRow.component_id) == component_id)
        )
        return (await self._session.exec(statement)).one()

    async def all(self, limit: int) -> Sequence[tuple[uuid.UUID, int]]:
        """What the user likes and still sees, the latest first, with how many like it."""
        statement = (
            select(StoreLikeRow.component_id, likes_of(col(StoreComponentRow.id)))
            .join(StoreComponentRow, col(StoreComponentRow.id) == col(StoreLikeRow.component_id))
            .where(col(StoreLikeRow.user_id) == self._user_id, StoreRepository(self._session, self._user_id).sees)
            .order_by(col(StoreLikeRow.created_at).desc(), col(StoreLikeRow.component_id))
            .limit(limit)
        )
        return (await self._session.exec(statement)).all()
