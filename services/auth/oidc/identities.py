"""Who somebody of the issuer is here: found, or made at first sight."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.exc import IntegrityError

from bedplate.services.auth.account_rules import check_username, to_user, username_key
from bedplate.services.auth.accounts import Accounts
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import (
    IdentityNotAllowedError,
    InactiveUserError,
    InvalidUsernameError,
    LastSuperuserError,
    UsernameTakenError,
)
from bedplate.services.auth.models import Client, User
from bedplate.services.auth.oidc.claims import check_claims, grants_superuser, suggested_name
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import IdentityRow, UserRow, new_id, utc_now
from bedplate.services.database.repositories.identity import IdentityRepository
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["Identified", "Identities"]

_log = get_logger("bedplate.auth")


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of the issuer, as known here."""

    identity_id: uuid.UUID
    user: User


class Identities:
    """Maps people of the issuer to users, by issuer and ``sub`` alone.

    A name or an e-mail address never makes somebody of the issuer the owner of an account that was there before.

    Args:
        settings: Whom to let in, as whom.
        database: Keeps who is who.
        accounts: Makes users.
        audit: Records who was made, and whose rights changed.
    """

    def __init__(self, settings: AuthSettings, database: DatabaseService, accounts: Accounts, audit: Audit) -> None:
        self._settings = settings
        self._oidc = settings.oidc
        self._database = database
        self._accounts = accounts
        self._audit = audit

    async def resolve(self, claims: Mapping[str, Any], client: Client | None = None) -> Identified:
        """The user that a checked token is about.

        Raises:
            IdentityNotAllowedError: The claims do not let in, or nobody new is let in.
            InactiveUserError: The user is deactivated, or waits for activation.
        """
        check_claims(self._oidc, claims)
        subject = claims["sub"]
        found = await self._find(subject) or await self._make(subject, claims, client)
        wanted = grants_superuser(self._oidc, claims)
        if wanted is not None and found.user.is_superuser is not wanted:
            found = await self._set_rights(found, superuser=wanted)
        if not found.user.is_active:
            raise InactiveUserError
        return found

    async def _find(self, subject: str) -> Identified | None:
        async with self._database.session() as session:
            row = await IdentityRepository(session).with_user(self._oidc.issuer or "", subject)
        return None if row is None else Identified(identity_id=row.identity_id, user=to_user(row))

    async def _make(self, subject: str, claims: Mapping[str, Any], client: Client | None) -> Identified:
        if self._oidc.new_users == "refused":
            raise IdentityNotAllowedError(why="nobody new is let in")
        suffix = hashlib.sha256(f"{self._oidc.issuer}\n{subject}".encode()).hexdigest()[:8]
        for name in self._names(claims, suffix):
            try:
                return await self._add(name, subject, client)
            except UsernameTakenError:
                # By somebody else, or by another request of the same person a moment ago.
                if found := await self._find(subject):
                    return found
        raise IdentityNotAllowedError(why="no user name is left")

    def _names(self, claims: Mapping[str, Any], suffix: str) -> list[str]:
        wanted, longest = suggested_name(self._oidc, claims), self._settings.username_max_length
        names = [wanted[:longest], f"{wanted[: longest - 9]}-{suffix}", f"user-{suffix}"]
        return [name for name in names if _usable(name, longest)]

    async def _add(self, name: str, subject: str, client: Client | None) -> Identified:
        row = UserRow(
            id=new_id(),
            username=name,
            username_key=username_key(name),
            password_hash=self._accounts.no_password(),
            is_active=self._oidc.new_users == "active",
            last_login_at=utc_now() if self._oidc.new_users == "active" else None,
        )
        identity = IdentityRow(id=new_id(), user_id=row.id, issuer=self._oidc.issuer or "", subject=subject)
        try:
            async with self._database.transaction() as session:
                async with self._accounts.adding(row, by="issuer", client=client):
                    pass
                await IdentityRepository(session).add(identity)
        except IntegrityError:
            raise UsernameTakenError from None
        _log.info("user of the issuer created", user_id=str(row.id), active=row.is_active)
        return Identified(identity_id=identity.id, user=to_user(row))

    async def _set_rights(self, found: Identified, *, superuser: bool) -> Identified:
        try:
            async with self._database.transaction() as session:
                row = await self._accounts.locked(session, found.user.id, demotes=not superuser)
                if row.is_superuser is not superuser:
                    row.is_superuser, row.updated_at = superuser, utc_now()
                    kind = AuditKind.SUPERUSER_GRANTED if superuser else AuditKind.SUPERUSER_REVOKED
                    await self._audit.record(kind, user_id=row.id, details={"by": "issuer"})
        except LastSuperuserError:
            _log.error("the issuer takes the rights of the last superuser, who keeps them", user_id=str(found.user.id))
            return found
        return msgspec.structs.replace(found, user=to_user(row))

    async def row_of(self, user: User) -> UserRow | None:
        """The row of a user, to open a session for."""
        async with self._database.session() as session:
            return await UserRepository(session).by_id(user.id)


def _usable(name: str, longest: int) -> bool:
    try:
        check_username(name, longest)
    except InvalidUsernameError:
        return False
    return True
