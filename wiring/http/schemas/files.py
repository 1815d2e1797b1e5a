"""Bodies of files."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "FileLink",
    "FileNames",
    "FileRead",
    "FlowFileUploaded",
    "FlowLinkRequest",
    "LinkRequest",
    "SavedFile",
    "StorageUsageRead",
    "UserFileUploaded",
]


class FlowFileUploaded(BaseModel):
    """A file of a flow that was uploaded."""

    model_config = ConfigDict(populate_by_name=True)

    flow_id: str = Field(serialization_alias="flowId")
    file_path: str = Field(json_schema_extra={"format": "path"})


class FileNames(BaseModel):
    """The names of the files of a flow."""

    files: list[str]


class UserFileUploaded(BaseModel):
    """A file of a user that was uploaded or renamed."""

    id: UUID
    name: str
    path: str = Field(json_schema_extra={"format": "path"})
    size: int
    provider: str | None = None


class FileRead(UserFileUploaded):
    """A file of a user."""

    user_id: UUID
    created_at: datetime
    updated_at: datetime


class StorageUsageRead(BaseModel):
    """What the files of a user take up."""

    bytes: int
    files: int
    quota: int | None


class LinkRequest(BaseModel):
    """What a link shall be good for."""

    model_config = ConfigDict(extra="forbid")

    expires_in: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds."""
    inline: bool = False
    """Whether an image is shown rather than saved."""


class FlowLinkRequest(LinkRequest):
    """What a link to a file of a flow shall be good for."""

    method: Literal["GET", "PUT"] = "GET"


class FileLink(BaseModel):
    """A link to a file that needs no other credentials."""

    url: str
    method: Literal["GET", "PUT"]
    expires_at: datetime


class SavedFile(BaseModel):
    """A file that was saved by a link."""

    name: str
    size: int
    etag: str
    sha256: str | None
