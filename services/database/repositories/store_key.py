"""The sealed store key of each user."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import UserRow

__all__ = ["StoreKeyRepository"]


class StoreKeyRepository:
    """Store keys in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, user_id: uuid.UUID) -> str | None:
        """The sealed key; None if there is none, or no such user."""
        return (await self._session.exec(select(UserRow.store_api_key).where(col(UserRow.id) == user_id))).one_or_none()

    async def page(self, after: uuid.UUID | None, limit: int) -> Sequence[tuple[uuid.UUID, str]]:
        """The sealed keys of users, by the id of the user, beginning behind ``after``."""
        statement = select(UserRow.id, UserRow.store_api_key).where(col(UserRow.store_api_key).is_not(None))
        if after is not None:
            statement = statement.where(col(UserRow.id) > after)
        rows = (await self._session.exec(statement.order_by(col(UserRow.id)).limit(limit))).all()
        return [(user_id, sealed) for user_id, sealed in rows if sealed is not None]

    async def replace(self, user_id: uuid.UUID, old: str, new: str) -> bool:
        """Replace the sealed key if it is still the old one; return whether it was."""
        mine = (col(UserRow.id) == user_id, col(UserRow.store_api_key) == old)
        statement = sa.update(UserRow).where(*mine).values(store_api_key=new)
        return (await self._session.exec(statement.execution_options(synchronize_session=False))).rowcount == 1

    async def set(self, user_id: uuid.UUID, sealed: str | None) -> None:
        """Replace it, or take it away."""
        statement = sa.update(UserRow).where(col(UserRow.id) == user_id).values(store_api_key=sealed)
        await self._session.exec(statement.execution_options(synchronize_session=False))
