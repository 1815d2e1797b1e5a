"""Results of building vertices."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["VertexBuildRow"]


class VertexBuildRow(Table, table=True):
    """The result of building one vertex in one run."""

    __tablename__ = f"{PREFIX}vertex_build"
    __table_args__ = (sa.Index(None, "flow_id", "timestamp", "build_id"), sa.Index(None, "timestamp"))

    build_id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", index=True)
    flow_id: uuid.UUID = Field(foreign_key=f"{PREFIX}flow.id", ondelete="CASCADE")
    run_id: uuid.UUID | None = Field(default=None, index=True)
    id: str
    """Id of the vertex, as in the flow."""
    data: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    artifacts: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    params: str | None = Field(default=None, sa_type=sa.Text)
    valid: bool
    timestamp: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
