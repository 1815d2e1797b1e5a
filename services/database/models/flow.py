"""Flows and saved components."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["FlowRow"]


class FlowRow(Table, table=True):
    """A flow document and what is known of it."""

    __tablename__ = f"{PREFIX}flow"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "name"),
        sa.UniqueConstraint("user_id", "endpoint_name"),
        sa.Index(None, "folder_id", "updated_at"),
        sa.Index(None, "user_id", "updated_at"),
        sa.Index(None, "user_id", "created_at", "id"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    folder_id: uuid.UUID = Field(foreign_key=f"{PREFIX}folder.id", ondelete="CASCADE")
    name: str
    description: str | None = Field(default=None, sa_type=sa.Text)
    icon: str | None = None
    icon_bg_color: str | None = None
    gradient: str | None = None
    data: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    is_component: bool = False
    webhook: bool = False
    endpoint_name: str | None = Field(default=None, index=True)
    tags: list[str] | None = Field(default=None, sa_type=sa.JSON)
    locked: bool = False
    mcp_enabled: bool = False
    action_name: str | None = None
    action_description: str | None = Field(default=None, sa_type=sa.Text)
    access_type: str = "PRIVATE"
    fs_path: str | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
