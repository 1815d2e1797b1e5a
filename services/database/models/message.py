"""Chat messages."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["MessageRow"]


class MessageRow(Table, table=True):
    """A message of a chat session, owned by a user."""

    __tablename__ = f"{PREFIX}message"
    __table_args__ = (
        sa.Index(None, "user_id", "session_id", "timestamp", "id"),
        sa.Index(None, "user_id", "flow_id", "timestamp", "id"),
        sa.Index(None, "timestamp"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    flow_id: uuid.UUID | None = Field(default=None, foreign_key=f"{PREFIX}flow.id", ondelete="CASCADE", index=True)
    run_id: uuid.UUID | None = Field(default=None, index=True)
    session_id: str
    timestamp: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    sender: str
    sender_name: str
    text: str = Field(default="", sa_type=sa.Text)
    files: list[str] = Field(default_factory=list, sa_type=sa.JSON)
    error: bool = False
    edit: bool = False
    status: str = "complete"
    """``complete``, ``partial`` or ``cancelled``."""
    properties: dict[str, Any] = Field(default_factory=dict, sa_type=sa.JSON)
    category: str = "message"
    content_blocks: list[dict[str, Any]] = Field(default_factory=list, sa_type=sa.JSON)
