"""Queries over users, for the auth service."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import UserRow
from bedplate.services.database.repositories.listing import Listing

__all__ = ["PUBLIC_COLUMNS", "USERS", "UserRepository"]

USERS = Listing(UserRow, service="auth", owner=None, filters=("is_active", "is_superuser"), searched=("username",))
"""All users, by when they came."""

PUBLIC_COLUMNS = (
    col(UserRow.id),
    col(UserRow.username),
    col(UserRow.profile_image),
    col(UserRow.is_active),
    col(UserRow.is_superuser),
    col(UserRow.created_at),
    col(UserRow.updated_at),
    col(UserRow.last_login_at),
    col(UserRow.optins),
)
"""What may leave the auth service; other repositories of it join them to their rows."""


class UserRepository:
    """Users in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_id(self, user_id: uuid.UUID, *, lock: bool = False) -> UserRow | None:
        """The user of that id; ``lock`` keeps others from changing it until the transaction ends."""
        query = select(UserRow).where(col(UserRow.id) == user_id)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return (await self._session.exec(query)).first()

    async def by_name(self, username_key: str) -> UserRow | None:
        """The user whose case-folded name it is."""
        return (await self._session.exec(select(UserRow).where(col(UserRow.username_key) == username_key))).first()

    async def missing(self, user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are no users."""
        query = select(UserRow.id).where(col(UserRow.id).in_(list(user_ids)))
        return set(user_ids).difference((await self._session.exec(query)).all())

    async def add(self, row: UserRow) -> None:
        """Insert a user."""
        self._session.add(row)
        await self._session.flush()

    async def delete(self, user_id: uuid.UUID) -> bool:
        """Delete a user with everything that belongs to it; False if there is none."""
        result: sa.CursorResult[Any] = await self._session.exec(sa.delete(UserRow).where(col(UserRow.id) == user_id))
        return result.rowcount == 1

    async def page(self, offset: int, limit: int) -> tuple[Sequence[UserRow], int]:
        """Some users, oldest first, and how many there are in all."""
        query = select(UserRow).order_by(col(UserRow.created_at), col(UserRow.id)).offset(offset).limit(limit)
        rows = (await self._session.exec(query)).all()
        return rows, (await self._session.exec(select(func.count()).select_from(UserRow))).one()

    async def has_superuser(self) -> bool:
        """Whether there is any superuser, active or not."""
        return (
            await self._session.exec(select(UserRow.id).where(col(UserRow.is_superuser)).limit(1))
        ).first() is not None

    async def active_superusers(self, *, lock: bool = False) -> Sequence[UserRow]:
        """The superusers that can log in, oldest first; ``lock`` as in :meth:`by_id`."""
        query = (
            select(UserRow)
            .where(col(UserRow.is_superuser), col(UserRow.is_active))
            .order_by(col(UserRow.created_at), col(UserRow.id))
        )
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return (await self._session.exec(query)).all()
