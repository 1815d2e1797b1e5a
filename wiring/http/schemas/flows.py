"""Bodies of flows and projects."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "MAX_PAGE",
    "AccessType",
    "FlowCreate",
    "FlowFull",
    "FlowHeader",
    "FlowImport",
    "FlowListCreate",
    "FlowRead",
    "FlowUpdate",
    "Page",
    "ProjectCreate",
    "ProjectRead",
    "ProjectReadWithFlows",
    "ProjectUpdate",
    "ProjectWithPage",
]

T = TypeVar("T")

MAX_PAGE: Final = 2**31 - 1
"""Highest number of a page: with it, every offset is a number that databases know (64 bits)."""


class AccessType(StrEnum):
    """Who may read a flow."""

    PRIVATE = "PRIVATE"
    PUBLIC = "PUBLIC"


class _FlowFields(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str
    description: str | None = None
    icon: str | None = None
    icon_bg_color: str | None = None
    gradient: str | None = None
    data: dict[str, Any] | None = None
    is_component: bool | None = False
    updated_at: datetime | None = None
    webhook: bool | None = False
    endpoint_name: str | None = None
    tags: list[str] | None = None
    locked: bool | None = False
    mcp_enabled: bool | None = False
    action_name: str | None = None
    action_description: str | None = None
    access_type: AccessType = AccessType.PRIVATE


class FlowCreate(_FlowFields):
    """A flow to make; its owner is the caller, whatever ``user_id`` says."""

    user_id: UUID | None = None
    folder_id: UUID | None = None
    fs_path: str | None = None


class FlowImport(FlowCreate):
    """A flow from a document; its id is kept where it is free."""

    id: UUID | None = None


class FlowListCreate(BaseModel):
    """Flows to make together."""

    flows: list[FlowCreate]


class FlowRead(_FlowFields):
    """A flow."""

    id: UUID
    user_id: UUID | None
    folder_id: UUID | None


class FlowFull(FlowRead):
    """A flow inside a page of a project."""

    fs_path: str | None = None


class FlowHeader(BaseModel):
    """A flow without its document."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    folder_id: UUID | None = None
    is_component: bool | None = None
    endpoint_name: str | None = None
    description: str | None = None
    data: dict[str, Any] | None = None
    access_type: AccessType | None = None
    tags: list[str] | None = None
    mcp_enabled: bool | None = None
    action_name: str | None = None
    action_description: str | None = None


class FlowUpdate(BaseModel):
    """What to change of a flow; without ``endpoint_name``, its endpoint name is cleared."""

    name: str | None = None
    description: str | None = None
    data: dict[str, Any] | None = None
    folder_id: UUID | None = None
    endpoint_name: str | None = None
    mcp_enabled: bool | None = None
    locked: bool | None = None
    action_name: str | None = None
    action_description: str | None = None
    access_type: AccessType | None = None
    fs_path: str | None = None


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    total: int = Field(ge=0)
    page: int = Field(ge=1)
    size: int = Field(ge=1)
    pages: int = Field(ge=0)


class ProjectCreate(BaseModel):
    """A project to make, with flows to move into it."""

    name: str
    description: str | None = None
    auth_settings: dict[str, Any] | None = None
    components_list: list[UUID] | None = None
    flows_list: list[UUID] | None = None


class ProjectRead(BaseModel):
    """A project."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    description: str | None = None
    auth_settings: dict[str, Any] | None = None
    id: UUID
    parent_id: UUID | None


class ProjectReadWithFlows(ProjectRead):
    """A project with its flows."""

    flows: list[FlowRead] = []


class ProjectUpdate(BaseModel):
    """What to change of a project; ``flows`` and ``components`` together are what it holds from now on."""

    name: str | None = None
    description: str | None = None
    parent_id: UUID | None = None
    components: list[UUID] = []
    flows: list[UUID] = []
    auth_settings: dict[str, Any] | None = None


class ProjectWithPage(BaseModel):
    """A project with one page of its flows."""

    folder: ProjectRead
    flows: Page[FlowFull]
