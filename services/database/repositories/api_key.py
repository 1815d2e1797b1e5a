"""Queries over API keys, for the auth service."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, ApiKeyRow, UserRow, metadata
from bedplate.services.database.repositories.among import among
from bedplate.services.database.repositories.user import PUBLIC_COLUMNS

__all__ = ["ApiKeyRepository", "KeyUse"]

_WITH_USER = (
    sa.select(
        *PUBLIC_COLUMNS,
        col(ApiKeyRow.id).label("key_id"),
        col(ApiKeyRow.expires_at).label("key_expires_at"),
        col(ApiKeyRow.scopes),
    )
    .join(UserRow, col(UserRow.id) == col(ApiKeyRow.user_id))
    .where(col(ApiKeyRow.key_hash) == sa.bindparam("key_hash"), col(ApiKeyRow.is_active))
)
_table = metadata.tables[f"{PREFIX}api_key"]
_RECORD_USE = (
    sa.update(_table)
    .where(_table.c.id == sa.bindparam("key"))
    .values(total_uses=_table.c.total_uses + sa.bindparam("uses"), last_used_at=sa.bindparam("at"))
)


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """How often a key was used since the last record, and when last."""

    key_id: uuid.UUID
    uses: int
    at: datetime


class ApiKeyRepository:
    """API keys in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, row: ApiKeyRow) -> None:
        """Insert a key."""
        self._session.add(row)
        await self._session.flush()

    async def count(self, user_id: uuid.UUID) -> int:
        """How many keys the user has."""
        query = select(func.count()).select_from(ApiKeyRow).where(col(ApiKeyRow.user_id) == user_id)
        return (await self._session.exec(query)).one()

    async def of_user(self, user_id: uuid.UUID) -> Sequence[ApiKeyRow]:
        """The keys of the user, oldest first."""
        query = select(ApiKeyRow).where(col(ApiKeyRow.user_id) == user_id).order_by(col(ApiKeyRow.id))
        return (await self._session.exec(query)).all()

    async def by_id(self, user_id: uuid.UUID, key_id: uuid.UUID) -> ApiKeyRow | None:
        """The key of that id if it is the user's."""
        query = select(ApiKeyRow).where(col(ApiKeyRow.id) == key_id, col(ApiKeyRow.user_id) == user_id)
        return (await self._session.exec(query)).first()

    async def delete(self, user_id: uuid.UUID, key_id: uuid.UUID) -> bool:
        """Delete the key if it is the user's; False if there is none."""
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.delete(ApiKeyRow).where(col(ApiKeyRow.id) == key_id, col(ApiKeyRow.user_id) == user_id)
        )
        return result.rowcount == 1

    async def with_user(self, key_hash: str) -> Any:
        """One row of the user's public columns, key_id, key_expires_at and scopes; None unless it is an active key."""
        connection = await self._session.connection()
        return (await connection.execute(_WITH_USER, {"key_hash": key_hash})).first()

    async def alive(self, key_ids: Collection[uuid.UUID], now: datetime) -> frozenset[uuid.UUID]:
        """Those of the keys that are active and not expired, and whose user is active."""
        expires_at = col(ApiKeyRow.expires_at)
        query = (
            sa.select(col(ApiKeyRow.id))
            .join(UserRow, col(UserRow.id) == col(ApiKeyRow.user_id))
            .where(col(ApiKeyRow.is_active), col(UserRow.is_active), sa.or_(expires_at.is_(None), expires_at > now))
        )
        return await among(self._session, query, col(ApiKeyRow.id), key_ids)

    async def record(self, uses: Sequence[KeyUse]) -> None:
        """Add to the counts of keys in one statement; keys deleted meanwhile are skipped."""
        if not uses:
            return
        connection = await self._session.connection()
        await connection.execute(_RECORD_USE, [{"key": use.key_id, "uses": use.uses, "at": use.at} for use in uses])
