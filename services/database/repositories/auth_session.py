"""Queries over login sessions, for the auth service."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import AuthSessionRow, UserRow
from bedplate.services.database.repositories.user import PUBLIC_COLUMNS

__all__ = ["AuthSessionRepository"]

_WITH_USER = (
    sa.select(
        *PUBLIC_COLUMNS,
        col(AuthSessionRow.kind),
        col(AuthSessionRow.current_jti),
        col(AuthSessionRow.expires_at),
        col(AuthSessionRow.created_at).label("opened_at"),
    )
    .join(UserRow, col(UserRow.id) == col(AuthSessionRow.user_id))
    .where(
        col(AuthSessionRow.id) == sa.bindparam("session_id"),
        col(AuthSessionRow.revoked_at).is_(None),
    )
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
        """One row of the user's public columns, kind, current_jti, expires_at, opened_at; None unless alive."""
        connection = await self._session.connection()
        return (await connection.execute(_WITH_USER, {"session_id": session_id})).first()

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

    async def _revoke(self, condition: sa.ColumnElement[bool], reason: str, now: datetime) -> int:
        result: sa.CursorResult[Any] = await self._session.exec(
            sa.update(AuthSessionRow)
            .where(condition, col(AuthSessionRow.revoked_at).is_(None))
            .values(revoked_at=now, revoked_reason=reason)
            .execution_options(synchronize_session=False)
        )
        return result.rowcount
