"""The sealed store key of each user."""

import uuid

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

    async def set(self, user_id: uuid.UUID, sealed: str | None) -> None:
        """Replace it, or take it away."""
        statement = sa.update(UserRow).where(col(UserRow.id) == user_id).values(store_api_key=sealed)
        await self._session.exec(statement.execution_options(synchronize_session=False))
