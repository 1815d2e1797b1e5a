"""Projects, which the REST contract also calls folders."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["FolderRow"]


class FolderRow(Table, table=True):
    """A project of a user; deleting it deletes its flows."""

    __tablename__ = f"{PREFIX}folder"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    parent_id: uuid.UUID | None = Field(default=None, foreign_key=f"{PREFIX}folder.id", ondelete="SET NULL", index=True)
    name: str
    description: str | None = None
    auth_settings: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
