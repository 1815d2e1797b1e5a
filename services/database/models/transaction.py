"""What each vertex of a run received and gave."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["TransactionRow"]


class TransactionRow(Table, table=True):
    """One vertex of one run: inputs, outputs, status."""

    __tablename__ = f"{PREFIX}transaction"
    __table_args__ = (sa.Index(None, "flow_id", "timestamp", "id"), sa.Index(None, "timestamp"))

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", index=True)
    flow_id: uuid.UUID = Field(foreign_key=f"{PREFIX}flow.id", ondelete="CASCADE")
    run_id: uuid.UUID | None = Field(default=None, index=True)
    vertex_id: str
    target_id: str | None = None
    inputs: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    outputs: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    status: str
    error: str | None = Field(default=None, sa_type=sa.Text)
    timestamp: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
