"""API keys: made, listed, changed, deleted and verified."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET, UnsetType
from pydantic import SecretStr

from bedplate.services.auth.account_rules import check_text, to_user
from bedplate.services.auth.errors import ApiKeyLimitError, ApiKeyNotFoundError, InvalidApiKeyError, UserNotFoundError
from bedplate.services.auth.key_format import SHOWN, hash_key, mask, new_key, well_formed
from bedplate.services.auth.models import ApiKey, Method, NewApiKey, Principal
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
    """

    def __init__(self, settings: AuthSettings, database: DatabaseService, usage: Usage) -> None:
        self._settings = settings
        self._database = database
        self._usage = usage

    async def create(
        self, user_id: uuid.UUID, name: str | None = None, *, expires_at: datetime | None = None
    ) -> NewApiKey:
        """Make a key; what is returned is the only copy of its secret.

        Raises:
            ApiKeyLimitError: The user has as many as allowed.
            TooLargeError: The name is longer than 255 characters.
            UserNotFoundError: There is no such user.
        """
        check_text("The name of an API key", name, MAX_NAME)
        secret = new_key()
        row = ApiKeyRow(
            user_id=user_id,
            name=name,
            prefix=secret[:SHOWN],
            length=len(secret),
            key_hash=hash_key(secret),
            expires_at=expires_at,
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
        return self._to_key(row)

    async def delete(self, user_id: uuid.UUID, key_id: uuid.UUID) -> None:
        """Delete a key.

        Raises:
            ApiKeyNotFoundError: There is no such key of the user.
        """
        async with self._database.transaction() as session:
            if not await ApiKeyRepository(session).delete(user_id, key_id):
                raise ApiKeyNotFoundError
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
        return Principal(user=to_user(row), method=Method.API_KEY, api_key_id=row.key_id)

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
        )
