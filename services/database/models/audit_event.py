"""Security events."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["AuditEventRow"]


class AuditEventRow(Table, table=True):
    """One security event. It refers to nothing by a foreign key, since it outlives whom and what it is about."""

    __tablename__ = f"{PREFIX}audit_event"
    __table_args__ = (
        sa.Index(None, "at", "id"),
        sa.Index(None, "kind", "at", "id"),
        sa.Index(None, "user_id", "at", "id"),
        sa.Index(None, "actor_id", "at", "id"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    kind: str
    user_id: uuid.UUID | None = None
    """Whose account it is about."""
    actor_id: uuid.UUID | None = None
    """Who did it; null: nobody who was known, or the operator."""
    target_id: str | None = None
    """The session, key or other object."""
    address: str | None = None
    user_agent: str | None = None
    details: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
