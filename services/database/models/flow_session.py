"""Sessions of flow execution."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["FlowSessionRow"]


class FlowSessionRow(Table, table=True):
    """A session of a user with a flow; ``session_id`` is what clients call it, unique per user and flow."""

    __tablename__ = f"{PREFIX}flow_session"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "flow_id", "session_id"),
        sa.Index(None, "user_id", "session_id"),
        sa.Index(None, "last_active_at"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    flow_id: uuid.UUID = Field(foreign_key=f"{PREFIX}flow.id", ondelete="CASCADE", index=True)
    session_id: str
    name: str | None = None
    status: str = "idle"
    runs: int = 0
    started_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    last_active_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    run_holder: uuid.UUID | None = None
    """Who runs in it, where its runs take turns."""
    run_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When that ends unless it is renewed."""
