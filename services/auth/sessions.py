"""Login sessions: families of single-use refresh tokens, and Bedplate's own session cookie."""

import functools
import hashlib
import hmac
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.auth.account_rules import to_user
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import (
    InvalidTokenError,
    RefreshConflictError,
    RefreshReusedError,
    TokenExpiredError,
)
from bedplate.services.auth.models import Client, Method, Principal, SessionCookie, TokenPair, User
from bedplate.services.auth.tokens import Claims, Tokens, TokenType
from bedplate.services.auth.usage import Usage
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import AuthSessionRow, UserRow, new_id, utc_now
from bedplate.services.database.repositories.auth_session import AuthSessionRepository
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["COOKIE_NAME", "Sessions"]

COOKIE_NAME = "bedplate_session"
TOKEN_KIND, COOKIE_KIND = "token", "cookie"
USER_AGENT_LENGTH = 255

_log = get_logger("bedplate.auth")


class Sessions:
    """Opens, continues, checks and ends sessions.

    A session is alive while it is neither revoked nor expired and its user is active. One query tells, each time, so
    that logout, password change and deactivation are effective at once in every replica.

    Args:
        settings: Lifetimes, limits, cookie.
        database: Keeps the sessions.
        tokens: Issues and checks the JWTs.
        usage: Notes when a session was used last.
        audit: Records logins, logouts and what looks like theft.
    """

    def __init__(
        self, settings: AuthSettings, database: DatabaseService, tokens: Tokens, usage: Usage, audit: Audit
    ) -> None:
        self._audit = audit
        self._settings = settings
        self._database = database
        self._tokens = tokens
        self._usage = usage

    async def open_tokens(self, session: AsyncSession, user: UserRow, client: Client) -> TokenPair:
        """Open a session for a pair of tokens, in the caller's transaction, which has locked the user."""
        token_id = secrets.token_urlsafe(16)
        row = await self._open(session, user, client, TOKEN_KIND, token_id, self._settings.refresh_token_ttl)
        return self._pair(to_user(user), row.id, token_id)

    async def open_cookie(self, session: AsyncSession, user: UserRow, client: Client) -> SessionCookie:
        """Open a session for a browser's cookie, in the caller's transaction, which has locked the user."""
        secret = secrets.token_urlsafe(32)
        ttl = min(self._settings.cookie_session_ttl, self._settings.session_max_ttl)
        row = await self._open(session, user, client, COOKIE_KIND, _digest(secret), ttl)
        return self.cookie(f"{row.id.hex}.{secret}", int(ttl))

    def cookie(self, value: str, max_age: int) -> SessionCookie:
        """The cookie with that value; an empty one with 0 seconds deletes it."""
        return SessionCookie(
            name=COOKIE_NAME,
            value=SecretStr(value),
            max_age=max_age,
            secure=self._settings.cookie_secure,
            domain=self._settings.cookie_domain,
        )

    async def refresh(self, token: str, client: Client) -> TokenPair:
        """Exchange a refresh token for a new pair.

        Raises:
            InvalidTokenError: The token or its session is not good (any more).
            RefreshReusedError: It was used before; the session has just been revoked.
            RefreshConflictError: It was used within the grace; nothing was revoked.
        """
        claims = await self._tokens.check(token, TokenType.REFRESH)
        now, token_id = utc_now(), secrets.token_urlsafe(16)
        async with self._database.transaction() as session:
            repository = AuthSessionRepository(session)
            row = _alive(await repository.with_user(claims.session_id), TOKEN_KIND, claims.user_id, now)
            failure = None
            if not await repository.rotate(
                claims.session_id, claims.token_id, token_id, now=now, expires_at=self._expiry(row.opened_at, now)
            ):
                failure = await self._refused(repository, claims, now)
                if isinstance(failure, RefreshReusedError):
                    await self._audit.record(
                        AuditKind.REFRESH_REUSED, user_id=row.id, target_id=claims.session_id, client=client
                    )
        if failure is not None:  # raised out here: a revocation must be committed
            if isinstance(failure, RefreshReusedError):
                _log.warning(
                    "a refresh token was used twice, its session is revoked",
                    user_id=str(claims.user_id),
                    session_id=str(claims.session_id),
                    address=client.address,
                )
            raise failure
        return self._pair(to_user(row), claims.session_id, token_id)

    async def by_access_token(self, token: str) -> Principal:
        """Who an access token belongs to.

        Raises:
            InvalidTokenError: The token or its session is not good (any more).
        """
        claims = await self._tokens.check(token, TokenType.ACCESS)
        async with self._database.session() as session:
            row = await AuthSessionRepository(session).with_user(claims.session_id)
        row = _alive(row, TOKEN_KIND, claims.user_id, utc_now())
        self._usage.session_used(claims.session_id, row.last_used_at)
        return Principal(
            user=to_user(row),
            method=Method.ACCESS_TOKEN,
            session_id=claims.session_id,
            expires_at=min(datetime.fromtimestamp(claims.expires_at, UTC), row.expires_at),
        )

    async def by_cookie(self, value: str) -> Principal:
        """Who the value of a session cookie belongs to.

        Raises:
            InvalidTokenError: It or its session is not good (any more).
        """
        session_id, secret = _parse_cookie(value)
        async with self._database.session() as session:
            row = await AuthSessionRepository(session).with_user(session_id)
        row = _alive(row, COOKIE_KIND, None, utc_now())
        if not hmac.compare_digest(row.current_jti, _digest(secret)):
            raise InvalidTokenError(why="a cookie with a wrong secret")
        self._usage.session_used(session_id, row.last_used_at)
        return Principal(user=to_user(row), method=Method.COOKIE, session_id=session_id, expires_at=row.expires_at)

    async def end(self, *values: str, client: Client) -> int:
        """Revoke the sessions of these access, refresh or cookie values, expired ones too; how many were alive.

        Values that are no good belong to no session and are passed over, so that a logout always succeeds.
        """
        ended = 0
        for session_id, user_id in {found for value in values if (found := await self._session_of(value))}:
            async with self._database.transaction() as session:
                if await AuthSessionRepository(session).revoke(session_id, "logout", utc_now()):
                    await self._audit.record(
                        AuditKind.LOGOUT, user_id=user_id, actor=user_id, target_id=session_id, client=client
                    )
                    ended += 1
        return ended

    async def _session_of(self, value: str) -> tuple[uuid.UUID, uuid.UUID] | None:
        """The ids of session and user that a token or cookie belongs to."""
        try:
            claims = await self._tokens.check(value, None, expired=True)
        except InvalidTokenError:
            pass
        else:
            return claims.session_id, claims.user_id
        try:
            principal = await self.by_cookie(value)
        except InvalidTokenError:
            return None
        return (principal.session_id, principal.user.id) if principal.session_id else None

    async def _open(
        self, session: AsyncSession, user: UserRow, client: Client, kind: str, jti: str, ttl: float
    ) -> AuthSessionRow:
        now = utc_now()
        repository = AuthSessionRepository(session)
        await repository.prune(user.id, now=now, keep=self._settings.sessions_per_user - 1)
        row = AuthSessionRow(
            id=new_id(),
            user_id=user.id,
            kind=kind,
            current_jti=jti,
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=min(ttl, self._settings.session_max_ttl)),
            user_agent=client.user_agent and client.user_agent[:USER_AGENT_LENGTH],
            address=client.address,
        )
        await repository.add(row)
        await self._audit.record(
            AuditKind.LOGIN, user_id=user.id, actor=user.id, target_id=row.id, client=client, details={"kind": kind}
        )
        return row

    async def _refused(self, repository: AuthSessionRepository, claims: Claims, now: datetime) -> Exception:
        """Why a token of a living session could not be exchanged; revokes the session if that looks like theft."""
        row = await repository.by_id(claims.session_id)
        if row is None or row.revoked_at is not None:
            return InvalidTokenError(why="its session has ended")
        if row.previous_jti == claims.token_id and row.rotated_at is not None:
            # A request that came before the winner's commit has an age below zero, and is no older than none.
            age = max(0.0, (now - row.rotated_at).total_seconds())
            if age < self._settings.refresh_grace:
                return RefreshConflictError()
        await repository.revoke(claims.session_id, "refresh token reused", now)
        return RefreshReusedError()

    def _expiry(self, opened_at: datetime, now: datetime) -> datetime:
        return min(
            now + timedelta(seconds=self._settings.refresh_token_ttl),
            opened_at + timedelta(seconds=self._settings.session_max_ttl),
        )

    def _pair(self, user: User, session_id: uuid.UUID, token_id: str) -> TokenPair:
        issue = functools.partial(self._tokens.issue, user_id=user.id, session_id=session_id)
        return TokenPair(
            access_token=issue(TokenType.ACCESS, token_id=secrets.token_urlsafe(16)),
            refresh_token=issue(TokenType.REFRESH, token_id=token_id),
            user=user,
            access_ttl=self._settings.access_token_ttl,
            refresh_ttl=self._settings.refresh_token_ttl,
        )


def _alive(row: Any, kind: str, user_id: uuid.UUID | None, now: datetime) -> Any:
    if row is None or row.kind != kind or (user_id is not None and row.id != user_id) or not row.is_active:
        raise InvalidTokenError(why="its session has ended")
    if row.expires_at <= now:
        raise TokenExpiredError
    return row


def _parse_cookie(value: str) -> tuple[uuid.UUID, str]:
    name, _, secret = value.partition(".")
    try:
        return uuid.UUID(hex=name), secret
    except ValueError:
        raise InvalidTokenError(why="no session cookie of ours") from None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
