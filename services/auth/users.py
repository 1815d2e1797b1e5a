"""Users: sign-up, profile, rights, passwords."""

import uuid
from typing import Any

from msgspec import UNSET
from pydantic import SecretStr
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.auth.account_rules import check_optins, check_text, check_username, to_user
from bedplate.services.auth.accounts import Accounts
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import (
    InvalidPasswordError,
    InvalidTokenError,
    NotAllowedError,
    OwnAccountError,
    SamePasswordError,
    SignUpClosedError,
    UserNotFoundError,
)
from bedplate.services.auth.models import Client, Principal, User, UserChanges
from bedplate.services.auth.passwords import Passwords
from bedplate.services.auth.throttle import LoginThrottle
from bedplate.services.auth.user_reader import UserReader, require_superuser
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, utc_now
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["Users"]

MAX_PROFILE_IMAGE = 2048

_log = get_logger("bedplate.auth")


class Users(UserReader):
    """The accounts. Methods that change one take the caller and check what the caller may.

    Args:
        settings: Sign-up policy and limits.
        database: Keeps them.
        passwords: Hashes.
        accounts: Makes and changes them.
        audit: Records what was changed.
        throttle: Slows down sign-ups.
    """

    def __init__(
        self,
        settings: AuthSettings,
        database: DatabaseService,
        passwords: Passwords,
        accounts: Accounts,
        audit: Audit,
        throttle: LoginThrottle,
    ) -> None:
        super().__init__(database)
        self._throttle = throttle
        self._audit = audit
        self._settings = settings
        self._passwords = passwords
        self._accounts = accounts

    async def sign_up(
        self, username: str, password: str, *, optins: dict[str, Any] | None = None, client: Client | None = None
    ) -> User:
        """Make an account for whoever asks; by default it waits, inactive, for a superuser to activate it.

        Raises:
            SignUpClosedError: The policy is ``closed``.
            InvalidUsernameError: The name cannot be used.
            InvalidPasswordError: The password cannot be used.
            UsernameTakenError: Somebody has the name.
            LoginThrottledError: Too many sign-ups and logins come from this address.
            RateLimitedError: Too many passwords are being hashed.
        """
        if self._settings.sign_up == "closed":
            raise SignUpClosedError(fix="ask a superuser for an account")
        if client is not None:
            await self._throttle.pace(client)
        row = await self._draft(username, password, optins)
        row.is_active = self._settings.sign_up == "open"
        return await self._add(row, by="sign-up", client=client)

    async def create(
        self,
        actor: Principal,
        username: str,
        password: str,
        *,
        is_active: bool = True,
        is_superuser: bool = False,
        optins: dict[str, Any] | None = None,
    ) -> User:
        """Make an account as a superuser; raises as :meth:`sign_up`, and NotAllowedError for anybody else."""
        require_superuser(actor)
        row = await self._draft(username, password, optins)
        row.is_active, row.is_superuser = is_active, is_superuser
        return await self._add(row, by="superuser", actor=actor)

    async def update(self, actor: Principal, user_id: uuid.UUID, changes: UserChanges) -> User:
        """Change an account: one's own profile, or anything as a superuser. No changes at all move ``updated_at``.

        A new password ends all sessions of the user but the one that the caller uses; deactivation ends all.

        Raises:
            NotAllowedError: Another's account, or rights, by an ordinary user.
            InvalidPasswordError: A password by an ordinary user, or one that cannot be used.
            InvalidUsernameError: The name cannot be used.
            UsernameTakenError: Somebody has the name.
            LastSuperuserError: Nobody would be left to administrate.
            UserNotFoundError: There is no such user.
        """
        _check_rights(actor, user_id, changes)
        if changes.username is not UNSET:
            check_username(changes.username, self._settings.username_max_length)
        if changes.profile_image is not UNSET:
            check_text("The profile image", changes.profile_image, MAX_PROFILE_IMAGE)
        if changes.optins is not UNSET:
            check_optins(changes.optins)
        password_hash = await self._new_hash(changes.password) if changes.password is not UNSET else None
        demotes = changes.is_active is False or changes.is_superuser is False
        async with self._accounts.changing() as session:
            row = await self._accounts.locked(session, user_id, demotes=demotes)
            before = to_user(row)
            if changes.username is not UNSET and changes.username != row.username:
                await self._accounts.rename(session, row, changes.username)
            _assign(row, changes)
            if password_hash is not None:
                await self._set_password(session, row, password_hash, actor)
            if changes.is_active is False:
                await self._accounts.end_sessions(session, row, "deactivated")
            await self._record(actor, before, row)
        return to_user(row)

    async def reset_password(self, actor: Principal, user_id: uuid.UUID, password: SecretStr) -> User:
        """Change one's own password; every session of the user but the caller's ends.

        Raises:
            OwnAccountError: It is another's.
            SamePasswordError: It is the present one.
            InvalidPasswordError: The password cannot be used.
            UserNotFoundError: The account is gone.
            InvalidTokenError: The user's sessions were ended meanwhile.
            RateLimitedError: Too many passwords are being hashed.
        """
        if user_id != actor.user.id:
            raise OwnAccountError("You can't change another user's password")
        async with self._database.session() as session:
            seen = await UserRepository(session).by_id(user_id)
        if seen is None:
            raise UserNotFoundError
        if await self._passwords.verify(seen.password_hash, password.get_secret_value()):
            raise SamePasswordError
        password_hash = await self._new_hash(password)
        async with self._database.transaction() as session:
            row = await self._accounts.locked(session, user_id, demotes=False)
            if row.token_version != seen.token_version:
                # Deactivated, or the password changed by somebody else, while we were hashing.
                raise InvalidTokenError(why="the sessions of the user were ended meanwhile")
            await self._set_password(session, row, password_hash, actor)
        return to_user(row)

    async def delete(self, actor: Principal, user_id: uuid.UUID) -> None:
        """Delete an account with all that belongs to it.

        Raises:
            NotAllowedError: The caller is no superuser.
            OwnAccountError: It is the caller's own.
            UserNotFoundError: There is no such user.
            LastSuperuserError: Nobody would be left to administrate.
        """
        require_superuser(actor)
        if user_id == actor.user.id:
            raise OwnAccountError
        async with self._database.transaction() as session:
            row = await self._accounts.locked(session, user_id, demotes=True)
            await UserRepository(session).delete(row.id)
            details = {"username": row.username}
            await self._audit.record(AuditKind.USER_DELETED, user_id=user_id, actor=actor, details=details)
        _log.warning("user deleted", user_id=str(user_id), by=str(actor.user.id))

    async def _draft(self, username: str, password: str, optins: dict[str, Any] | None) -> UserRow:
        check_optins(optins)
        row = await self._accounts.draft(username, password)
        row.optins = optins
        return row

    async def _add(
        self, row: UserRow, *, by: str, actor: Principal | None = None, client: Client | None = None
    ) -> User:
        async with self._accounts.adding(row, by=by, actor=actor, client=client):
            pass
        _log.info("user created", user_id=str(row.id), active=row.is_active, superuser=row.is_superuser)
        return to_user(row)

    async def _record(self, actor: Principal, before: User, row: UserRow) -> None:
        """Record how an account differs from what it was."""
        happened = {
            AuditKind.USER_RENAMED: row.username != before.username,
            AuditKind.USER_ACTIVATED: row.is_active and not before.is_active,
            AuditKind.USER_DEACTIVATED: before.is_active and not row.is_active,
            AuditKind.SUPERUSER_GRANTED: row.is_superuser and not before.is_superuser,
            AuditKind.SUPERUSER_REVOKED: before.is_superuser and not row.is_superuser,
        }
        for kind in (kind for kind, true in happened.items() if true):
            names = {"from": before.username, "to": row.username} if kind is AuditKind.USER_RENAMED else None
            await self._audit.record(kind, user_id=row.id, actor=actor, details=names)

    async def _new_hash(self, password: SecretStr) -> str:
        self._passwords.check(password.get_secret_value())
        return await self._passwords.hash(password.get_secret_value())

    async def _set_password(self, session: AsyncSession, row: UserRow, password_hash: str, actor: Principal) -> None:
        row.password_hash = password_hash
        row.updated_at = utc_now()
        keep = actor.session_id if row.id == actor.user.id else None
        await self._accounts.end_sessions(session, row, "password changed", keep)
        await self._audit.record(AuditKind.PASSWORD_CHANGED, user_id=row.id, actor=actor)


def _check_rights(actor: Principal, user_id: uuid.UUID, changes: UserChanges) -> None:
    user = actor.user
    if actor.is_superuser:
        return
    if user_id != user.id:
        raise NotAllowedError
    # Clients send back whole users: rights that stay what they are do no harm.
    if changes.is_superuser not in (UNSET, user.is_superuser) or changes.is_active not in (UNSET, user.is_active):
        raise NotAllowedError
    if changes.password is not UNSET:
        raise InvalidPasswordError("You can't change your password here")


def _assign(row: UserRow, changes: UserChanges) -> None:
    if changes.profile_image is not UNSET:
        row.profile_image = changes.profile_image
    if changes.optins is not UNSET:
        row.optins = changes.optins
    if changes.is_active is not UNSET:
        row.is_active = changes.is_active
    if changes.is_superuser is not UNSET:
        row.is_superuser = changes.is_superuser
    row.updated_at = utc_now()
