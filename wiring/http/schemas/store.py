"""Bodies of the store."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

__all__ = [
    "CreateComponentResponse",
    "DownloadComponentResponse",
    "ListComponentResponse",
    "ListComponentResponseModel",
    "StoreCheckResponse",
    "StoreComponentCreate",
    "StoreComponentUpdate",
    "StoreKeyResponse",
    "TagResponse",
    "UsersLikesResponse",
    "VersionResponse",
    "YankRequest",
]


class StoreCheckResponse(BaseModel):
    """Whether there is a store."""

    enabled: bool


class StoreKeyResponse(BaseModel):
    """Whether the caller has saved a store key, and whether the store takes it."""

    has_api_key: bool
    is_valid: bool


class StoreComponentCreate(BaseModel):
    """What to publish; ``tags`` are names, or ids of tags that are there."""

    name: str
    description: str | None
    data: dict[str, Any]
    tags: list[str] | None
    parent: UUID | None = None
    is_component: bool | None
    last_tested_version: str | None = None
    private: bool | None = True
    version: str | None = None


class StoreComponentUpdate(BaseModel):
    """What to change of a component; what is left out stays."""

    name: str | None = None
    description: str | None = None
    data: dict[str, Any] | None = None
    tags: list[str] | None = None
    parent: UUID | None = None
    is_component: bool | None = None
    last_tested_version: str | None = None
    private: bool | None = None
    version: str | None = None


class CreateComponentResponse(BaseModel):
    """What was published."""

    id: UUID
    namespaced_id: str | None = None
    version: str | None = None
    digest: str | None = None


class TagResponse(BaseModel):
    """A tag."""

    id: UUID
    name: str | None


class ListComponentResponse(BaseModel):
    """A component in a list; what was not asked for by ``fields`` is null."""

    id: UUID | None = None
    name: str | None = None
    description: str | None = None
    liked_by_count: int | None = None
    liked_by_user: bool | None = None
    is_component: bool | None = None
    metadata: dict[str, Any] | None = {}
    user_created: dict[str, Any] | None = {}
    tags: list[TagResponse] | None = None
    downloads_count: int | None = None
    last_tested_version: str | None = None
    private: bool | None = None
    namespaced_id: str | None = None
    parent: UUID | None = None
    version: str | None = None
    digest: str | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


class ListComponentResponseModel(BaseModel):
    """A page of components; ``count`` is how many match in all."""

    count: int | None = 0
    authorized: bool
    results: list[ListComponentResponse] | None


class DownloadComponentResponse(BaseModel):
    """A component with its document; ``digest`` is the SHA-256 of ``data`` as JSON with sorted keys and no spaces."""

    id: UUID
    name: str | None
    description: str | None
    data: dict[str, Any] | None
    is_component: bool | None
    metadata: dict[str, Any] | None = {}
    version: str | None = None
    digest: str | None = None
    yanked: bool = False
    yank_reason: str | None = None


class UsersLikesResponse(BaseModel):
    """How many like a component, and whether the caller does."""

    likes_count: int | None
    liked_by_user: bool | None
    component_id: UUID | None = None


class VersionResponse(BaseModel):
    """A version of a component."""

    version: str
    digest: str
    size: int
    last_tested_version: str | None
    created_at: datetime
    yanked_at: datetime | None
    yank_reason: str | None


class YankRequest(BaseModel):
    """Why a version is yanked."""

    reason: str | None = None
