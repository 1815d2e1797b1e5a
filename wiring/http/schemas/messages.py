"""Bodies of messages: what clients are promised, of whatever a component has stored.

Content blocks and properties come from components, the app's own among them, and from imports. What does not have the
shape that clients know is shown in one that has it, so that one odd message hides neither itself nor its session.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler
from pydantic.functional_validators import WrapValidator

__all__ = ["ContentBlock", "MessageRead", "MessageResponse", "MessageUpdate", "Properties"]

UNFIT = "unfit"
"""The member of properties that holds those values which are nothing that clients expect of their names."""


def _content(value: Any) -> Any:
    match value:
        case dict():
            return value
        case str():
            return {"type": "text", "text": value}
    return {"type": "json", "data": {"value": value}}


def _block(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        title = value.get("title") if isinstance(value, dict) else None
        content = {"type": "json", "data": value} if isinstance(value, dict) else value
        return handler({"title": title if isinstance(title, str) else "", "contents": [content]})


def _properties(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        odd = {item["loc"][0] for item in error.errors(include_url=False) if item["loc"]}
        if not odd:
            raise
        fitting = {name: one for name, one in value.items() if name not in odd}
        return handler(fitting | {UNFIT: {name: value[name] for name in value if name in odd}})


class Source(BaseModel):
    """Where a message came from."""

    model_config = ConfigDict(extra="allow")

    id: str | None = None
    display_name: str | None = None
    source: str | None = None


class Properties(BaseModel):
    """How a message is shown; what a component adds stays."""

    model_config = ConfigDict(extra="allow")

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
    """A structured part of a message; what a component adds stays."""

    model_config = ConfigDict(extra="allow")

    title: str
    contents: list[Annotated[dict[str, Any], BeforeValidator(_content)]]
    allow_markdown: bool = True
    media_url: list[str] | None = None


_StoredBlock = Annotated[ContentBlock, WrapValidator(_block)]
_StoredProperties = Annotated[Properties, WrapValidator(_properties)]


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
    properties: _StoredProperties = Field(default_factory=Properties)
    category: str = "message"
    content_blocks: list[_StoredBlock] = []
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
    properties: _StoredProperties | None = None
    category: str | None = None
    content_blocks: list[_StoredBlock] | None = None


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
