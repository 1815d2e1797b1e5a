"""Where users are logged in: listed and ended."""

import uuid
from collections.abc import Sequence

from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import SessionNotFoundError, UserNotFoundError
from bedplate.services.auth.models import Principal
from bedplate.services.auth.records import LoginSession
from bedplate.services.auth.usage import Usage
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import AuthSessionRow, utc_now
from bedplate.services.database.repositories.auth_session import AuthSessionRepository
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.logs import get_logger

__all__ = ["UserSessions"]

_DELETED_AT_ONCE = 200

_log = get_logger("bedplate.auth")


class UserSessions:
    """The login sessions of users. Each method takes the caller, and is about the caller unless it is a superuser.

    Args:
        database: Keeps them.
        usage: Knows when they were used last.
        audit: Records which were ended.
    """

    def __init__(self, database: DatabaseService, usage: Usage, audit: Audit) -> None:
        self._audit = audit
        self._database = database
        self._usage = usage

    async def list(self, actor: Principal, user_id: uuid.UUID | None = None) -> Sequence[LoginSession]:
        """The sessions that are alive, newest first.

        Args:
            actor: The caller.
            user_id: Whose sessions; None: the caller's own.

        Raises:
            UserNotFoundError: There is no such user, or the caller may not know it.
        """
        async with self._database.session() as session:
            owner = await _owner(UserRepository(session), actor, user_id)
            rows = await AuthSessionRepository(session).alive_of(owner, utc_now())
        return [self._to_session(row, actor) for row in rows]

    async def delete_expired(self) -> int:
        """Delete the expired sessions of all users, in small transactions; how many there were."""
        deleted = 0
        while True:
            async with self._database.transaction() as session:
                some = await AuthSessionRepository(session).delete_expired(utc_now(), _DELETED_AT_ONCE)
            deleted += some
            if some < _DELETED_AT_ONCE:
                return deleted

    async def revoke(self, actor: Principal, session_id: uuid.UUID, user_id: uuid.UUID | None = None) -> None:
        """End a session; its tokens or cookie are dead at once, in every replica.

        Args:
            actor: The caller.
            session_id: The session, which may be the caller's present one.
            user_id: Whose it is; None: the caller's own.

        Raises:
            SessionNotFoundError: The user has no such session, or it has ended.
            UserNotFoundError: There is no such user, or the caller may not know it.
        """
        async with self._database.transaction() as session:
            owner = await _owner(UserRepository(session), actor, user_id)
            if not await AuthSessionRepository(session).revoke_of(owner, session_id, "revoked", utc_now()):
                raise SessionNotFoundError
            await self._audit.record(AuditKind.SESSION_REVOKED, user_id=owner, actor=actor, target_id=session_id)
        _log.info("session revoked", user_id=str(owner), session_id=str(session_id), by=str(actor.user.id))

    async def revoke_others(self, actor: Principal, user_id: uuid.UUID | None = None) -> int:
        """End all sessions but the one that the caller uses; how many there were.

        Args:
            actor: The caller.
            user_id: Whose sessions; None: the caller's own.

        Raises:
            UserNotFoundError: There is no such user, or the caller may not know it.
        """
        async with self._database.transaction() as session:
            owner = await _owner(UserRepository(session), actor, user_id)
            ended = await AuthSessionRepository(session).revoke_all(owner, "revoked", utc_now(), actor.session_id)
            details = {"sessions": ended}
            await self._audit.record(AuditKind.SESSION_REVOKED, user_id=owner, actor=actor, details=details)
        _log.info("sessions revoked", user_id=str(owner), sessions=ended, by=str(actor.user.id))
        return ended

    def _to_session(self, row: AuthSessionRow, actor: Principal) -> LoginSession:
        return LoginSession(
            id=row.id,
            user_id=row.user_id,
            kind=row.kind,
            user_agent=row.user_agent,
            address=row.address,
            created_at=row.created_at,
            last_used_at=self._usage.last_used(row.id, row.last_used_at),
            expires_at=row.expires_at,
            current=row.id == actor.session_id,
        )


async def _owner(users: UserRepository, actor: Principal, user_id: uuid.UUID | None) -> uuid.UUID:
    if user_id is None or user_id == actor.user.id:
        return actor.user.id
    if not actor.is_superuser or await users.by_id(user_id) is None:
        raise UserNotFoundError
    return user_id
