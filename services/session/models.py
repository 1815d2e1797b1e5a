"""The values of the session service that cross its boundary: flows, projects and sessions."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "AccessType",
    "Flow",
    "FlowHeader",
    "FlowPatch",
    "FlowQuery",
    "FlowSession",
    "NewFlow",
    "NewProject",
    "Page",
    "Project",
    "ProjectPatch",
    "SessionStatus",
]

T = TypeVar("T")


class AccessType(StrEnum):
    """Who may read a flow: its owner, or anyone who knows its id."""

    PRIVATE = "PRIVATE"
    PUBLIC = "PUBLIC"


class RunPolicy(StrEnum):
    """What becomes of a run while another one of its session goes on."""

    PARALLEL = "parallel"
    """Both go on."""
    SERIAL = "serial"
    """It waits for its turn."""
    REJECT = "reject"
    """It is refused."""


class SessionStatus(StrEnum):
    """What a session of execution does, or how its last run ended."""

    IDLE = "idle"
    RUNNING = "running"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CursorPage(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, which nothing that is added or deleted meanwhile shifts.

    Attributes:
        items: The part.
        next_cursor: What the next part begins behind; None: there is none.
    """

    items: tuple[T, ...]
    next_cursor: str | None


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list.

    Attributes:
        items: The part.
        total: How many the whole list has.
        page: Which part, from 1.
        size: Most items of a part.
    """

    items: tuple[T, ...]
    total: int
    page: int
    size: int

    @property
    def pages(self) -> int:
        """How many parts the list has."""
        return -(-self.total // self.size)


class FlowHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows of a flow; ``data`` is None unless the flow is a saved component."""

    id: uuid.UUID
    name: str
    folder_id: uuid.UUID
    is_component: bool
    endpoint_name: str | None
    description: str | None
    access_type: AccessType
    tags: list[str] | None
    mcp_enabled: bool
    action_name: str | None
    action_description: str | None
    data: dict[str, Any] | None


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow document and what is known of it; ``folder_id`` is its project."""

    id: uuid.UUID
    user_id: uuid.UUID
    folder_id: uuid.UUID
    name: str
    description: str | None
    icon: str | None
    icon_bg_color: str | None
    gradient: str | None
    data: dict[str, Any] | None
    is_component: bool
    webhook: bool
    endpoint_name: str | None
    tags: list[str] | None
    locked: bool
    mcp_enabled: bool
    action_name: str | None
    action_description: str | None
    access_type: AccessType
    created_at: datetime
    updated_at: datetime


class NewFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A flow to be created.

    Attributes:
        folder_id: Its project; None for the user's default one.
        id: The id of an imported flow, kept if it is free; None makes one.
    """

    name: str
    description: str | None = None
    icon: str | None = None
    icon_bg_color: str | None = None
    gradient: str | None = None
    data: dict[str, Any] | None = None
    is_component: bool = False
    webhook: bool = False
    endpoint_name: str | None = None
    tags: list[str] | None = None
    locked: bool = False
    mcp_enabled: bool = False
    action_name: str | None = None
    action_description: str | None = None
    access_type: AccessType = AccessType.PRIVATE
    folder_id: uuid.UUID | None = None
    id: uuid.UUID | None = None


class FlowPatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of a flow: what is UNSET stays as it is, None clears."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    icon: str | UnsetType | None = UNSET
    icon_bg_color: str | UnsetType | None = UNSET
    gradient: str | UnsetType | None = UNSET
    data: dict[str, Any] | UnsetType | None = UNSET
    folder_id: uuid.UUID | UnsetType = UNSET
    endpoint_name: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType | None = UNSET
    locked: bool | UnsetType = UNSET
    mcp_enabled: bool | UnsetType = UNSET
    action_name: str | UnsetType | None = UNSET
    action_description: str | UnsetType | None = UNSET
    access_type: AccessType | UnsetType = UNSET

    @classmethod
    def of_contract(cls, body: Mapping[str, Any]) -> "FlowPatch":
        """The patch that a request body of the REST contract means.

        There, a null leaves a field as it is; but an endpoint name that is missing, null or empty is cleared.

        Args:
            body: The validated body; keys that are no fields of a patch are left out.
        """
        given = {key: value for key, value in body.items() if key in cls.__struct_fields__ and value is not None}
        return cls(**{**given, "endpoint_name": body.get("endpoint_name") or None})


class FlowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which flows of a user a list shows.

    Attributes:
        project_id: Only those of this project.
        is_component: Only saved components (True) or only flows (False).
        search: Only those whose name contains this text, upper or lower case.
    """

    project_id: uuid.UUID | None = None
    is_component: bool | None = None
    search: str = ""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project of a user, which the REST contract also calls a folder."""

    id: uuid.UUID
    user_id: uuid.UUID
    parent_id: uuid.UUID | None
    name: str
    description: str | None
    auth_settings: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class NewProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project to be created.

    Attributes:
        flows: Flows and saved components of the user to move into it.
    """

    name: str
    description: str | None = None
    parent_id: uuid.UUID | None = None
    auth_settings: dict[str, Any] | None = None
    flows: tuple[uuid.UUID, ...] = ()


class ProjectPatch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of a project: what is UNSET stays as it is.

    Attributes:
        flows: Exactly the flows and saved components that it shall have; those that it loses go to the default one.
    """

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    parent_id: uuid.UUID | UnsetType | None = UNSET
    auth_settings: dict[str, Any] | UnsetType | None = UNSET
    flows: tuple[uuid.UUID, ...] | UnsetType = UNSET


class FlowSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a user with a flow.

    Attributes:
        id: The session itself; never given by a client.
        session_id: What clients call it; unique per user and flow.
        name: What people call it, if they did.
        status: What it does.
        runs: How many runs were begun in it.
        started_at: When it was opened.
        last_active_at: When a run was last begun or ended.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    flow_id: uuid.UUID
    session_id: str
    name: str | None
    status: SessionStatus
    runs: int
    started_at: datetime
    last_active_at: datetime
