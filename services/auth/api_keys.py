"""API keys: made, listed, changed, deleted and verified."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import UNSET, UnsetType
from pydantic import SecretStr

from bedplate.services.auth.account_rules import check_text, to_user
from bedplate.services.auth.audit import Audit, AuditKind
from bedplate.services.auth.errors import (
    ApiKeyLimitError,
    ApiKeyNotFoundError,
    InvalidApiKeyError,
    InvalidExpiryError,
    InvalidScopeError,
    UserNotFoundError,
)
from bedplate.services.auth.key_format import SHOWN, hash_key, mask, new_key, well_formed
from bedplate.services.auth.models import ApiKey, Method, NewApiKey, Principal
from bedplate.services.auth.scopes import Scope, covers, parse_scopes, stored_scopes
from bedplate.services.auth.usage import Usage
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import ApiKeyRow, utc_now
from bedplate.services.database.repositories.api_key import ApiKeyRepository
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["ApiKeys"]

MAX_NAME = 255

_log = get_logger("bedplate.auth")


class ApiKeys:
    """The keys of users; another user's key is treated as one that does not exist.

    Args:
        settings: How many keys a user may have.
        database: Keeps their hashes.
        usage: Counts their uses.
        audit: Records what was made and changed.
    """

    def __init__(self, settings: AuthSettings, database: DatabaseService, usage: Usage, audit: Audit) -> None:
        self._audit = audit
        self._settings = settings
        self._database = database
        self._usage = usage

    async def create(
        self,
        user_id: uuid.UUID,
        name: str | None = None,
        *,
        expires_at: datetime | None = None,
        scopes: Iterable[str] | None = None,
        maker: Principal | None = None,
    ) -> NewApiKey:
        """Make a key; what is returned is the only copy of its secret.

        Args:
            user_id: Whose key.
            name: What its owner calls it.
            expires_at: When it stops being valid, with a zone; None: never, or as late as allowed.
            scopes: What it is limited to; None: nothing.
            maker: Who asks for it. A key that makes another gives it no more rights and no longer life than its own.

        Raises:
            ApiKeyLimitError: The user has as many as allowed.
            InvalidScopeError: A scope is unknown, or the maker does not have it.
            InvalidExpiryError: It would have expired already, or would live longer than the settings or its maker.
            TooLargeError: The name is longer than 255 characters.
            UserNotFoundError: There is no such user.
        """
        check_text("The name of an API key", name, MAX_NAME)
        granted = _granted(parse_scopes(scopes), maker)
        secret = new_key()
        row = ApiKeyRow(
            user_id=user_id,
            name=name,
            prefix=secret[:SHOWN],
            length=len(secret),
            key_hash=hash_key(secret),
            expires_at=self._expiry(expires_at, maker),
            scopes=None if granted is None else sorted(granted),
        )
        async with self._database.transaction() as session:
            if await UserRepository(session).by_id(user_id, lock=True) is None:
                raise UserNotFoundError
            repository = ApiKeyRepository(session)
            if await repository.count(user_id) >= self._settings.api_keys_per_user:
                raise ApiKeyLimitError(
                    f"There are {self._settings.api_keys_per_user} API keys already",
                    fix="delete one, or raise BEDPLATE_AUTH__API_KEYS_PER_USER",
                )
            await repository.add(row)
            details = {"prefix": row.prefix, "scopes": None if granted is None else " ".join(sorted(granted))}
            await self._record(AuditKind.API_KEY_CREATED, user_id, row.id, maker, details)
        _log.info("API key created", user_id=str(user_id), key_id=str(row.id))
        return NewApiKey(secret=SecretStr(secret), key=self._to_key(row))

    async def list(self, user_id: uuid.UUID) -> Sequence[ApiKey]:
        """The keys of the user, oldest first, masked."""
        async with self._database.session() as session:
            rows = await ApiKeyRepository(session).of_user(user_id)
        return [self._to_key(row) for row in rows]

    async def update(
        self,
        user_id: uuid.UUID,
        key_id: uuid.UUID,
        *,
        name: str | UnsetType | None = UNSET,
        is_active: bool | UnsetType = UNSET,
        actor: Principal | None = None,
    ) -> ApiKey:
        """Rename a key, or switch it off or on.

        Raises:
            ApiKeyNotFoundError: There is no such key of the user.
            TooLargeError: The name is longer than 255 characters.
        """
        if name is not UNSET:
            check_text("The name of an API key", name, MAX_NAME)
        async with self._database.transaction() as session:
            row = await ApiKeyRepository(session).by_id(user_id, key_id)
            if row is None:
                raise ApiKeyNotFoundError
            if name is not UNSET:
                row.name = name
            if is_active is not UNSET:
                row.is_active = is_active
            await self._record(AuditKind.API_KEY_CHANGED, user_id, row.id, actor, {"active": row.is_active})
        return self._to_key(row)

    async def delete(self, user_id: uuid.UUID, key_id: uuid.UUID, *, actor: Principal | None = None) -> None:
        """Delete a key.

        Raises:
            ApiKeyNotFoundError: There is no such key of the user.
        """
        async with self._database.transaction() as session:
            if not await ApiKeyRepository(session).delete(user_id, key_id):
                raise ApiKeyNotFoundError
            await self._record(AuditKind.API_KEY_DELETED, user_id, key_id, actor, None)
        self._usage.forget(key_id)
        _log.info("API key deleted", user_id=str(user_id), key_id=str(key_id))

    async def verify(self, key: str) -> Principal:
        """Who a key belongs to; counts a use.

        Raises:
            InvalidApiKeyError: It is unknown, inactive or expired, or its user is not active.
        """
        if not well_formed(key):
            raise InvalidApiKeyError(why="not of the form of a key")
        async with self._database.session() as session:
            row = await ApiKeyRepository(session).with_user(hash_key(key))
        if row is None or not row.is_active or (row.key_expires_at is not None and row.key_expires_at <= utc_now()):
            raise InvalidApiKeyError(why="unknown, inactive or expired, or its user is")
        self._usage.used(row.key_id)
        return Principal(
            user=to_user(row),
            method=Method.API_KEY,
            api_key_id=row.key_id,
            expires_at=row.key_expires_at,
            scopes=stored_scopes(row.scopes),
        )

    async def _record(
        self,
        kind: AuditKind,
        user_id: uuid.UUID,
        key_id: uuid.UUID,
        actor: Principal | None,
        details: Mapping[str, str | bool | None] | None,
    ) -> None:
        await self._audit.record(kind, user_id=user_id, actor=actor, target_id=key_id, details=details)

    def _expiry(self, wanted: datetime | None, maker: Principal | None) -> datetime | None:
        now = utc_now()
        if wanted is not None and wanted.tzinfo is None:
            raise InvalidExpiryError("The expiry of an API key must have a zone", fix="end it with Z for UTC")
        if wanted is not None and wanted <= now:
            raise InvalidExpiryError("The expiry of an API key must be in the future")
        longest = self._settings.api_key_max_ttl
        limits = [now + timedelta(seconds=longest)] if longest else []
        if maker is not None and maker.api_key_id is not None and maker.expires_at is not None:
            limits.append(maker.expires_at)
        latest = min(limits, default=None)
        if latest is not None and wanted is not None and wanted > latest:
            raise InvalidExpiryError(
                f"An API key made now may be valid until {latest:%Y-%m-%d %H:%M:%S} UTC at the latest",
                fix="ask for an earlier expiry, or for none, to get the latest",
            )
        return wanted or latest

    def _to_key(self, row: ApiKeyRow) -> ApiKey:
        waiting = self._usage.waiting(row.id)
        return ApiKey(
            id=row.id,
            user_id=row.user_id,
            name=row.name,
            masked=mask(row.prefix, row.length),
            is_active=row.is_active,
            total_uses=row.total_uses + (waiting.uses if waiting else 0),
            last_used_at=waiting.at if waiting else row.last_used_at,
            created_at=row.created_at,
            expires_at=row.expires_at,
            scopes=None if (scopes := stored_scopes(row.scopes)) is None else tuple(sorted(scopes)),
        )


def _granted(wanted: frozenset[Scope] | None, maker: Principal | None) -> frozenset[Scope] | None:
    """The scopes of a new key: what is wanted, or what its maker has."""
    if maker is None or maker.scopes is None:
        return wanted
    if wanted is None:
        return maker.scopes
    if beyond := sorted(scope for scope in wanted if not covers(maker.scopes, scope)):
        raise InvalidScopeError(f"This key does not have {beyond[0]!r} itself", fix="make the key with a login instead")
    return wanted
