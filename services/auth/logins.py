"""Logging in with name and password."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.auth.account_rules import check_username, username_key
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import (
    AuthError,
    InactiveUserError,
    InvalidCredentialsError,
    InvalidUsernameError,
    WaitingForApprovalError,
)
from bedplate.services.auth.models import Client, SessionCookie, TokenPair
from bedplate.services.auth.passwords import Passwords
from bedplate.services.auth.sessions import Sessions
from bedplate.services.auth.throttle import Attempt, LoginThrottle
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, utc_now
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings
from bedplate.services.telemetry import TelemetryService

__all__ = ["Logins"]

T = TypeVar("T")

_log = get_logger("bedplate.auth")


class Logins:
    """Turns a name and a password into a session.

    Args:
        settings: Limits of names.
        telemetry: Counts the outcomes.
        database: Keeps the users.
        passwords: Verifies, and hashes anew where the parameters have changed.
        sessions: Opens the session.
        audit: Records failures.
        throttle: Refuses attempts after too many of them.
    """

    def __init__(
        self,
        settings: AuthSettings,
        telemetry: TelemetryService,
        database: DatabaseService,
        passwords: Passwords,
        sessions: Sessions,
        audit: Audit,
        throttle: LoginThrottle,
    ) -> None:
        self._throttle = throttle
        self._audit = audit
        self._settings = settings
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._outcomes = telemetry.meter.counter("bedplate_auth_logins", "Logins by outcome", labels=("outcome",))

    async def tokens(self, username: str, password: str, client: Client) -> TokenPair:
        """Log in for a pair of tokens; raises as :meth:`AuthService.login` does."""
        return await self._login(username, password, client, self._sessions.open_tokens)

    async def cookie(self, username: str, password: str, client: Client) -> SessionCookie:
        """Log in for a session cookie; raises as :meth:`AuthService.login` does."""
        return await self._login(username, password, client, self._sessions.open_cookie)

    async def as_user(self, user: UserRow, client: Client) -> TokenPair:
        """Open a session for a user who was proved by other means than a password, or needs none."""
        return await self._enter(user, None, client, self._sessions.open_tokens)

    async def as_user_by_cookie(self, user: UserRow, client: Client) -> SessionCookie:
        """As :meth:`as_user`, for a session cookie."""
        return await self._enter(user, None, client, self._sessions.open_cookie)

    def joined(self) -> AbstractAsyncContextManager[object]:
        """A transaction, if the throttle's part of the work is part of it; else every step is one of its own."""
        return self._database.transaction() if self._throttle.joins_transactions else nullcontext()

    async def _login(
        self,
        username: str,
        password: str,
        client: Client,
        opening: Callable[[AsyncSession, UserRow, Client], Awaitable[T]],
    ) -> T:
        attempt = self._throttle.attempt(username, client)
        user: UserRow | None = None
        try:
            await self._throttle.admit(attempt)
            user = await self._find(username)
            opened = await self._prove(user, password, attempt, opening)
        except BedplateError as error:
            self._outcomes.add(1, outcome=error.code)
            # Not the name: people type passwords into the wrong field.
            _log.warning("login refused", reason=error.code, user_id=user and str(user.id), address=client.address)
            raise
        self._outcomes.add(1, outcome="success")
        _log.info("login", user_id=str(opened[0].id), address=client.address)
        return opened[1]

    async def _prove(
        self,
        user: UserRow | None,
        password: str,
        attempt: Attempt,
        opening: Callable[[AsyncSession, UserRow, Client], Awaitable[T]],
    ) -> tuple[UserRow, T]:
        right = await self._passwords.verify(user.password_hash if user else None, password)
        try:
            if user is None or not right:
                raise InvalidCredentialsError
            # Only who knows the password learns what has become of the account.
            if not user.is_active:
                raise WaitingForApprovalError if user.last_login_at is None else InactiveUserError
            outdated = self._passwords.outdated(user.password_hash)
            new_hash = await self._passwords.hash(password) if outdated else None
            async with self.joined():
                await self._throttle.check(attempt)
                opened = await self._enter(user, new_hash, attempt.client, opening)
                await self._throttle.succeeded(attempt)
        except (AuthError, WaitingForApprovalError) as error:
            await self._failed(user, attempt, error)
            raise
        return user, opened

    async def _failed(self, user: UserRow | None, attempt: Attempt, error: BedplateError) -> None:
        user_id, told = user.id if user else None, True
        async with self.joined():
            await self._audit.record(
                AuditKind.LOGIN_FAILED, user_id=user_id, client=attempt.client, details={"reason": error.code}
            )
            if isinstance(error, InvalidCredentialsError):
                told = await self._throttle.failed(attempt, user_id)
        if not told:
            await self._throttle.check(attempt)

    async def _find(self, username: str) -> UserRow | None:
        try:
            check_username(username, self._settings.username_max_length)
        except InvalidUsernameError:
            return None  # no user has it, and some such names a database cannot even be asked for
        async with self._database.session() as session:
            return await UserRepository(session).by_name(username_key(username))

    async def _enter(
        self,
        seen: UserRow,
        new_hash: str | None,
        client: Client,
        opening: Callable[[AsyncSession, UserRow, Client], Awaitable[T]],
    ) -> T:
        """Open the session, unless password or account were changed since ``seen`` was read."""
        async with self._database.transaction() as session:
            repository = UserRepository(session)
            user = await repository.by_id(seen.id, lock=True)
            if user is None or user.token_version != seen.token_version or not user.is_active:
                raise InvalidCredentialsError
            if new_hash is not None:
                user.password_hash = new_hash
            user.last_login_at = utc_now()
            return await opening(session, user, client)
