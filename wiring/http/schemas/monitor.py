"""Bodies of messages, builds and transactions."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ContentBlock",
    "MessageRead",
    "MessageResponse",
    "MessageUpdate",
    "Properties",
    "TransactionRead",
    "VertexBuildMap",
    "VertexBuildRead",
]


class Source(BaseModel):
    """Where a message came from."""

    id: str | None = None
    display_name: str | None = None
    source: str | None = None


class Properties(BaseModel):
    """How a message is shown."""

    text_color: str | None = None
    background_color: str | None = None
    edited: bool = False
    source: Source = Field(default_factory=Source)
    icon: str | None = None
    allow_markdown: bool = False
    positive_feedback: bool | None = None
    state: Literal["partial", "complete"] = "complete"
    targets: list[Any] = []


class ContentBlock(BaseModel):
    """A structured part of a message."""

    title: str
    contents: list[dict[str, Any]]
    allow_markdown: bool = True
    media_url: list[str] | None = None


class MessageRead(BaseModel):
    """A message, as its update answers it."""

    model_config = ConfigDict(from_attributes=True)

    timestamp: datetime
    sender: str
    sender_name: str
    session_id: str
    text: str
    files: list[str] = []
    error: bool = False
    edit: bool = False
    properties: Properties = Field(default_factory=Properties)
    category: str = "message"
    content_blocks: list[ContentBlock] = []
    id: UUID
    flow_id: UUID | None


class MessageResponse(BaseModel):
    """A message, as lists answer it: ``files`` is a JSON text there, as existing clients read it."""

    id: UUID | None = None
    flow_id: UUID | None = None
    timestamp: datetime
    sender: str
    sender_name: str
    session_id: str
    text: str
    files: list[str] | str = []
    edit: bool
    duration: float | None = None
    properties: Properties | None = None
    category: str | None = None
    content_blocks: list[ContentBlock] | None = None


class MessageUpdate(BaseModel):
    """What to change of a message."""

    text: str | None = None
    sender: str | None = None
    sender_name: str | None = None
    session_id: str | None = None
    files: list[str] | None = None
    edit: bool | None = None
    error: bool | None = None
    properties: Properties | None = None


class VertexBuildRead(BaseModel):
    """The result of building a vertex."""

    model_config = ConfigDict(from_attributes=True)

    timestamp: datetime
    id: str
    data: dict[str, Any] | None = None
    artifacts: dict[str, Any] | None = None
    params: str | None = None
    valid: bool
    flow_id: UUID
    build_id: UUID | None = None


class VertexBuildMap(BaseModel):
    """Builds by vertex."""

    vertex_builds: dict[str, list[VertexBuildRead]]


class TransactionRead(BaseModel):
    """What a vertex received and gave."""

    model_config = ConfigDict(from_attributes=True)

    timestamp: datetime
    vertex_id: str
    target_id: str | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    status: str
    error: str | None = None
    flow_id: UUID
    id: UUID | None = None
