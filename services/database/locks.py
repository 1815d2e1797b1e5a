"""Locks that a transaction takes beside those of the rows that it writes."""

import uuid

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import UserRow

__all__ = ["lock_user"]


async def lock_user(session: AsyncSession, user_id: uuid.UUID) -> None:
    """Let this transaction alone act for a user until its end; others that ask wait for it.

    For what is counted before it is added. On SQLite one transaction writes at a time anyway.
    """
    if session.get_bind().dialect.name != "sqlite":
        await session.exec(select(UserRow.id).where(col(UserRow.id) == user_id).with_for_update())
