"""Bodies of files."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FileNames", "FileRead", "FlowFileUploaded", "UserFileUploaded"]


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
