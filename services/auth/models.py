"""The values that cross the boundary of the auth service."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import SecretStr

from bedplate.services.auth.scopes import Scope, covers

__all__ = [
    "ApiKey",
    "Client",
    "Credentials",
    "Method",
    "NewApiKey",
    "Principal",
    "SessionCookie",
    "SetupToken",
    "TokenPair",
    "User",
    "UserChanges",
    "UserPage",
]


class _Masked(msgspec.Struct, frozen=True, kw_only=True):
    """Base of values whose fields are secrets: printing one tells only which of them are set."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"

    def __rich_repr__(self) -> Iterator[tuple[str, str | None]]:  # type: ignore[override]  # fewer details, on purpose
        for name in self.__struct_fields__:
            yield name, None if getattr(self, name) is None else "***"


class Method(StrEnum):
    """What a caller proved its identity with."""

    ACCESS_TOKEN = "access_token"  # noqa: S105 - a name, not a token
    API_KEY = "api_key"
    COOKIE = "cookie"
    OIDC = "oidc"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request comes from.

    Attributes:
        address: IP address of the peer, or of the client as told by a trusted proxy.
        user_agent: The header of that name.
        host: The ``Host`` header.
        proxied: Whether the request came through a proxy (it has a ``Forwarded`` or ``X-Forwarded-*`` header), so
            that the address says little.
    """

    address: str | None = None
    user_agent: str | None = None
    host: str | None = None
    proxied: bool = False


class Credentials(_Masked, frozen=True, kw_only=True):
    """What came with a request or a handshake; a bearer token goes before a key, a key before the cookie.

    Attributes:
        bearer: Token of ``Authorization: Bearer``, or of a WebSocket's query.
        api_key: Key of the ``x-api-key`` header or query parameter.
        cookie: Value of Bedplate's own session cookie.
    """

    bearer: str | None = None
    api_key: str | None = None
    cookie: str | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user, without the password's hash and other secrets."""

    id: uuid.UUID
    username: str
    profile_image: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    optins: dict[str, Any] | None


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the users, oldest first, and how many there are in all."""

    total: int
    users: tuple[User, ...]


class UserBrowse(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the users.

    Attributes:
        users: The users.
        next_cursor: What the next part begins behind; None: there is none.
    """

    users: tuple[User, ...]
    next_cursor: str | None


class UserChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a user; unset fields stay as they are."""

    username: str | UnsetType = UNSET
    profile_image: str | UnsetType | None = UNSET
    password: SecretStr | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_superuser: bool | UnsetType = UNSET
    optins: dict[str, Any] | UnsetType | None = UNSET


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling, as verified.

    Attributes:
        user: The caller.
        method: What proved it.
        session_id: The login session; None with an API key.
        api_key_id: The key; None without one.
        expires_at: When what proved it stops being valid, in UTC; None: never.
        scopes: What the key is limited to; None: nothing.
        identity_id: The identity of an issuer; None without one.
        client: Where the request came from, if that is known.
    """

    user: User
    method: Method
    session_id: uuid.UUID | None = None
    api_key_id: uuid.UUID | None = None
    expires_at: datetime | None = None
    scopes: frozenset[Scope] | None = None
    identity_id: uuid.UUID | None = None
    client: Client | None = None

    @property
    def is_superuser(self) -> bool:
        """Whether the caller has the rights of a superuser: a key of one has them by its scopes alone."""
        return self.user.is_superuser and covers(self.scopes, Scope.SYSTEM_ADMIN)

    @property
    def credential_id(self) -> uuid.UUID | None:
        """The session, the key or the identity, whichever it was."""
        return self.session_id or self.api_key_id or self.identity_id


class TokenPair(_Masked, frozen=True, kw_only=True):
    """What a login or refresh answers; both tokens are JWTs.

    Attributes:
        access_token: For ``Authorization: Bearer``.
        refresh_token: Good for one refresh.
        user: Whose they are.
        access_ttl: Seconds that the access token is valid.
        refresh_ttl: Seconds that the refresh token is valid.
    """

    access_token: str
    refresh_token: str
    user: User
    access_ttl: float
    refresh_ttl: float


class SessionCookie(msgspec.Struct, frozen=True, kw_only=True):
    """Bedplate's own session cookie, to be set with ``HttpOnly`` and ``SameSite=Lax``.

    Attributes:
        name: Name of the cookie.
        value: Its value; it opens the session, so it is shown nowhere.
        max_age: Seconds that it is valid; 0 deletes it.
        secure: Whether it is sent over HTTPS only.
        domain: Hosts that it is sent to; None: the one that set it.
        path: Paths that it is sent to.
        http_only: Hidden from scripts.
        same_site: Not sent with unsafe requests of other sites.
    """

    name: str
    value: SecretStr
    max_age: int
    secure: bool
    domain: str | None
    path: str = "/"
    http_only: bool = True
    same_site: str = "lax"


class SetupToken(msgspec.Struct, frozen=True, kw_only=True):
    """The token of the one-time link to ``/setup``.

    Attributes:
        secret: The token.
        expires_at: When it stops being valid.
    """

    secret: SecretStr
    expires_at: datetime


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as its owner may see it.

    Attributes:
        masked: The first eight characters of the key, then one star per character.
        total_uses: How often it was used.
        expires_at: When it stops being valid; None: never.
        scopes: What it is limited to, in order; None: nothing.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    name: str | None
    masked: str
    is_active: bool
    total_uses: int
    last_used_at: datetime | None
    created_at: datetime
    expires_at: datetime | None
    scopes: tuple[Scope, ...] | None


class NewApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key just made.

    Attributes:
        secret: The key itself, which cannot be read again.
        key: The rest.
    """

    secret: SecretStr
    key: ApiKey
