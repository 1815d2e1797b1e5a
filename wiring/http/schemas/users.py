"""Bodies of login, users and API keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

__all__ = [
    "ApiKeyCreate",
    "ApiKeyCreateRequest",
    "ApiKeyRead",
    "ApiKeysResponse",
    "LoginSessionRead",
    "LoginSessionsResponse",
    "PasswordForm",
    "RevokedSessions",
    "Token",
    "UnmaskedApiKeyRead",
    "UserCreate",
    "UserRead",
    "UserUpdate",
    "UsersResponse",
]

_OPTINS = {"github_starred": False, "dialog_dismissed": False, "discord_clicked": False}


class Token(BaseModel):
    """A pair of tokens."""

    access_token: str
    refresh_token: str
    token_type: str


class PasswordForm(BaseModel):
    """The form of the OAuth 2 password grant (RFC 6749, section 4.3)."""

    grant_type: str | None = Field(default=None, pattern="^password$")
    username: str
    password: str = Field(repr=False, json_schema_extra={"format": "password"})
    scope: str = ""
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False, json_schema_extra={"format": "password"})


class UserCreate(BaseModel):
    """A sign-up."""

    username: str
    password: str = Field(repr=False)
    optins: dict[str, Any] | None = Field(default_factory=lambda: dict(_OPTINS))


class UserRead(BaseModel):
    """A user, as it and superusers see it; ``store_api_key`` is always null: a key is never answered."""

    id: UUID
    username: str
    profile_image: str | None
    store_api_key: str | None = None
    is_active: bool
    is_superuser: bool
    create_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    optins: dict[str, Any] | None = None


class UserUpdate(BaseModel):
    """What to change of a user."""

    username: str | None = None
    profile_image: str | None = None
    password: str | None = Field(default=None, repr=False)
    is_active: bool | None = None
    is_superuser: bool | None = None
    last_login_at: datetime | None = None
    optins: dict[str, Any] | None = None


class UsersResponse(BaseModel):
    """A page of users."""

    total_count: int
    users: list[UserRead]


class ApiKeyCreate(BaseModel):
    """An API key to make; its name, expiry and scopes are heeded."""

    name: str | None = None
    last_used_at: datetime | None = None
    total_uses: int = 0
    is_active: bool = True
    api_key: str | None = Field(default=None, repr=False)
    user_id: UUID | None = None
    created_at: datetime | None = None
    expires_at: AwareDatetime | None = None
    scopes: list[str] | None = Field(default=None, max_length=100)


class ApiKeyCreateRequest(BaseModel):
    """The key of a remote store."""

    api_key: str = Field(repr=False)


class ApiKeyRead(BaseModel):
    """An API key with its secret masked."""

    name: str | None = None
    last_used_at: datetime | None = None
    total_uses: int = 0
    is_active: bool = True
    id: UUID
    api_key: str
    user_id: UUID
    created_at: datetime
    expires_at: datetime | None = None
    scopes: list[str] | None = None


class UnmaskedApiKeyRead(BaseModel):
    """A new API key: the only answer that shows its secret."""

    name: str | None = None
    last_used_at: datetime | None = None
    total_uses: int = 0
    is_active: bool = True
    id: UUID
    api_key: str = Field(repr=False)
    user_id: UUID
    expires_at: datetime | None = None
    scopes: list[str] | None = None


class ApiKeysResponse(BaseModel):
    """The API keys of a user."""

    total_count: int
    user_id: UUID
    api_keys: list[ApiKeyRead]


class LoginSessionRead(BaseModel):
    """A place where a user is logged in."""

    id: UUID
    kind: str
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class LoginSessionsResponse(BaseModel):
    """Where a user is logged in."""

    total_count: int
    user_id: UUID
    sessions: list[LoginSessionRead]


class RevokedSessions(BaseModel):
    """How many sessions a request ended."""

    revoked: int
