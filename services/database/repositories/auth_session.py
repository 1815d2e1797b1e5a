"""Queries over login sessions, for the auth service."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, AuthSessionRow, UserRow, metadata
from bedplate.services.database.repositories.among import among
from bedplate.services.database.repositories.user import PUBLIC_COLUMNS

__all__ = ["AuthSessionRepository"]

_WITH_USER = (
    sa.select(
        *PUBLIC_COLUMNS,
        col(AuthSessionRow.kind),
        col(AuthSessionRow.current_jti),
        col(AuthSessionRow.expires_at),
        col(AuthSessionRow.created_at).label("opened_at"),
        col(AuthSessionRow.last_used_at),
    )
    .join(UserRow, col(UserRow.id) == col(AuthSessionRow.user_id))
    .where(
        col(AuthSessionRow.id) == sa.bindparam("session_id"),
        col(AuthSessionRow.revoked_at).is_(None),
    )
)

_table = metadata.tables[f"{PREFIX}auth_session"]
_RECORD_USE = (
    sa.update(_table)
    # A refresh may have written a later one meanwhile.
    .where(_table.c.id == sa.bindparam("session"), _table.c.last_used_at < sa.bindparam("at"))
    .values(last_used_at=sa.bindparam("at"))
)


class AuthSessionRepository:
    """Login sessions in one database session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, row: AuthSessionRow) -> None:
        """Insert a session."""
        self._session.add(row)
        await self._session.flush()

    async def by_id(self, session_id: uuid.UUID) -> AuthSessionRow | None:
        """The session of that id as it is now, revoked or not."""
        query = select(AuthSessionRow).where(col(AuthSessionRow.id) == session_id)
        return (await self._session.exec(query.execution_options(populate_existing=True))).first()

    async def with_user(self, session_id: uuid.UUID) -> Any:
        """One row of the user's public columns and those of the session; None unless it is alive."""
        connection = await self._session.connection()
        return (await connection.execute(_WITH_USER, {"session_id": session_id})).first()

    async def alive(self, session_ids: Collection[uuid.UUID], now: datetime) -> frozenset[uuid.UUID]:
        """Those of the sessions that are neither revoked nor expired, and whose user is active."""
        query = (
            sa.select(col(AuthSessionRow.id))
            .join(UserRow, col(UserRow.id) == col(AuthSessionRow.user_id))
            .where(
                col(AuthSessionRow.revoked_at).is_(None), col(AuthSessionRow.expires_at) > now, col(UserRow.is_active)
            )
        )
        return await among(self._session, query, col(AuthSessionRow.id), session_ids)

    async def rotate(
        self, session_id: uuid.UUID, old_jti: str, new_jti: str, *, now: datetime, expires_at: datetime
    ) -> bool:
        """Replace the good refresh token if it is still ``old_jti``: of any number of callers, one gets True."""
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.update(AuthSessionRow)
            .where(
                col(AuthSessionRow.id) == session_id,
                col(AuthSessionRow.current_jti) == old_jti,
                col(AuthSessionRow.revoked_at).is_(None),
            )
            .values(current_jti=new_jti, previous_jti=old_jti, rotated_at=now, last_used_at=now, expires_at=expires_at)
            .execution_options(synchronize_session=False)
        )
        return result.rowcount == 1

    async def alive_of(self, user_id: uuid.UUID, now: datetime) -> Sequence[AuthSessionRow]:
        """The sessions of a user that have neither been ended nor expired, newest first."""
        query = (
            select(AuthSessionRow)
            .where(
                col(AuthSessionRow.user_id) == user_id,
                col(AuthSessionRow.revoked_at).is_(None),
                col(AuthSessionRow.expires_at) > now,
            )
            .order_by(col(AuthSessionRow.id).desc())
        )
        return (await self._session.exec(query)).all()

    async def record(self, uses: Mapping[uuid.UUID, datetime]) -> None:
        """Set when sessions were used last, in one statement."""
        if not uses:
            return
        connection = await self._session.connection()
        await connection.execute(_RECORD_USE, [{"session": session_id, "at": at} for session_id, at in uses.items()])

    async def revoke_of(self, user_id: uuid.UUID, session_id: uuid.UUID, reason: str, now: datetime) -> bool:
        """End one session if it is the user's and alive; False otherwise."""
        condition = sa.and_(
            col(AuthSessionRow.id) == session_id,
            col(AuthSessionRow.user_id) == user_id,
            col(AuthSessionRow.expires_at) > now,
        )
        return await self._revoke(condition, reason, now) == 1

    async def revoke(self, session_id: uuid.UUID, reason: str, now: datetime) -> bool:
        """End one session; False if there is none, or it has been ended."""
        return await self._revoke(col(AuthSessionRow.id) == session_id, reason, now) == 1

    async def revoke_all(self, user_id: uuid.UUID, reason: str, now: datetime, keep: uuid.UUID | None = None) -> int:
        """End the sessions of a user, except ``keep``; how many there were."""
        condition = col(AuthSessionRow.user_id) == user_id
        if keep is not None:
            condition = sa.and_(condition, col(AuthSessionRow.id) != keep)
        return await self._revoke(condition, reason, now)

    async def prune(self, user_id: uuid.UUID, *, now: datetime, keep: int) -> int:
        """Delete the expired sessions of a user and all but the ``keep`` newest others; how many the latter were."""
        mine = col(AuthSessionRow.user_id) == user_id
        await self._session.exec(
            sa.delete(AuthSessionRow)
            .where(mine, col(AuthSessionRow.expires_at) <= now)
            .execution_options(synchronize_session=False)
        )
        surplus = select(AuthSessionRow.id).where(mine).order_by(col(AuthSessionRow.id).desc()).offset(keep).limit(1)
        newest_surplus = (await self._session.exec(surplus)).first()
        if newest_surplus is None:
            return 0
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.delete(AuthSessionRow)
            .where(mine, col(AuthSessionRow.id) <= newest_surplus)
            .execution_options(synchronize_session=False)
        )
        return result.rowcount

    async def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete at most ``limit`` expired sessions of anyone; how many there were."""
        expired = sa.select(col(AuthSessionRow.id)).where(col(AuthSessionRow.expires_at) <= now).limit(limit)
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.delete(AuthSessionRow)
            .where(col(AuthSessionRow.id).in_(expired))
            .execution_options(synchronize_session=False)
        )
        return result.rowcount

    async def _revoke(self, condition: sa.ColumnElement[bool], reason: str, now: datetime) -> int:
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.update(AuthSessionRow)
            .where(condition, col(AuthSessionRow.revoked_at).is_(None))
            .values(revoked_at=now, revoked_reason=reason)
            .execution_options(synchronize_session=False)
        )
        return result.rowcount
