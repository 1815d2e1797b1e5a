"""The steps that users, the set-up and the command line share when they make or change an account."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.auth.account_rules import check_username, username_key
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import LastSuperuserError, UsernameTakenError, UserNotFoundError
from bedplate.services.auth.models import Client, Principal
from bedplate.services.auth.passwords import Passwords
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, utc_now
from bedplate.services.database.repositories.auth_session import AuthSessionRepository
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["Accounts"]

_log = get_logger("bedplate.auth")


class Accounts:
    """Accounts without the question of who may do what, which is answered where these steps are called.

    Args:
        settings: Limits.
        database: Keeps them.
        passwords: Hashes.
        audit: Records what was made.
    """

    def __init__(self, settings: AuthSettings, database: DatabaseService, passwords: Passwords, audit: Audit) -> None:
        self._audit = audit
        self._settings = settings
        self._database = database
        self._passwords = passwords

    async def draft(self, username: str, password: str) -> UserRow:
        """A row for a new user, checked and hashed, not yet stored.

        Raises:
            InvalidUsernameError: The name cannot be used.
            InvalidPasswordError: The password cannot be used.
            RateLimitedError: Too many passwords are being hashed.
        """
        check_username(username, self._settings.username_max_length)
        self._passwords.check(password)
        password_hash = await self._passwords.hash(password)
        return UserRow(username=username, username_key=username_key(username), password_hash=password_hash)

    def no_password(self) -> str:
        """What is stored for a user without a password: a hash that nothing hashes to."""
        return self._passwords.unmatchable()

    @asynccontextmanager
    async def adding(
        self, row: UserRow, *, by: str, actor: Principal | None = None, client: Client | None = None
    ) -> AsyncIterator[AsyncSession]:
        """A transaction at whose end a drafted user is stored, after what the caller does in it.

        Args:
            row: The user.
            by: How it comes to be, for the audit log.
            actor: Who makes it.
            client: Where the request comes from.

        Raises:
            UsernameTakenError: Somebody has the name.
        """
        async with self.changing() as session:
            yield session
            repository = UserRepository(session)
            if await repository.by_name(row.username_key) is not None:
                raise UsernameTakenError
            await repository.add(row)
            details: dict[str, str | int | bool | None] = {
                "username": row.username,
                "by": by,
                "active": row.is_active,
                "superuser": row.is_superuser,
            }
            await self._audit.record(
                AuditKind.USER_CREATED, user_id=row.id, actor=actor, client=client, details=details
            )

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncSession]:
        """A transaction in which a name that another replica took a moment ago is a UsernameTakenError."""
        try:
            async with self._database.transaction() as session:
                yield session
        except IntegrityError:
            # The name is the only column of the table that can clash.
            raise UsernameTakenError from None

    async def locked(self, session: AsyncSession, user_id: uuid.UUID, *, demotes: bool) -> UserRow:
        """The row of a user, kept from others until the transaction ends.

        Args:
            session: The transaction.
            user_id: Whose row.
            demotes: Whether the user will be no active superuser any more.

        Raises:
            UserNotFoundError: There is no such user.
            LastSuperuserError: With ``demotes``, if nobody would be left to administrate.
        """
        repository = UserRepository(session)
        # All superusers first, so that two who demote each other wait for one another in one order.
        superusers = await repository.active_superusers(lock=True) if demotes else []
        row = await repository.by_id(user_id, lock=True)
        if row is None:
            raise UserNotFoundError
        if [superuser.id for superuser in superusers] == [user_id]:
            raise LastSuperuserError
        return row

    async def rename(self, session: AsyncSession, row: UserRow, username: str) -> None:
        """Give a user another name.

        Raises:
            UsernameTakenError: Somebody else has it.
        """
        key = username_key(username)
        holder = await UserRepository(session).by_name(key)
        if holder is not None and holder.id != row.id:
            raise UsernameTakenError
        row.username, row.username_key = username, key

    async def end_sessions(
        self, session: AsyncSession, row: UserRow, reason: str, keep: uuid.UUID | None = None
    ) -> None:
        """End all sessions of a user but ``keep``, those too that a login under way is about to open."""
        row.token_version += 1
        await AuthSessionRepository(session).revoke_all(row.id, reason, utc_now(), keep)
        _log.warning("sessions of a user ended", user_id=str(row.id), reason=reason)
