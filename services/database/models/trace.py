"""Traces: runs and their spans."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["SpanRow", "TraceRow"]


class TraceRow(Table, table=True):
    """One run."""

    __tablename__ = f"{PREFIX}trace"
    __table_args__ = (
        sa.Index(None, "user_id", "started_at"),
        sa.Index(None, "flow_id", "started_at"),
        sa.Index(None, "started_at"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    """The run's id."""
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    flow_id: uuid.UUID | None = Field(default=None, foreign_key=f"{PREFIX}flow.id", ondelete="SET NULL")
    session_id: str | None = None
    name: str
    status: str = "running"
    """``running``, ``ok``, ``error``, ``cancelled`` or ``interrupted``."""
    error: str | None = Field(default=None, sa_type=sa.Text)
    inputs: Any = Field(default=None, sa_type=sa.JSON)
    outputs: Any = Field(default=None, sa_type=sa.JSON)
    attributes: dict[str, Any] = Field(default_factory=dict, sa_type=sa.JSON)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    """When its process last wrote it: one that is ``running`` and silent for long lost its process."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class SpanRow(Table, table=True):
    """One step of a run."""

    __tablename__ = f"{PREFIX}span"
    __table_args__ = (sa.Index(None, "trace_id", "started_at"),)

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    trace_id: uuid.UUID = Field(foreign_key=f"{PREFIX}trace.id", ondelete="CASCADE")
    parent_id: uuid.UUID | None = None
    key: str | None = None
    """What the step is in the flow, such as the id of a vertex."""
    name: str
    kind: str = "CHAIN"
    """A span kind of OpenInference, such as ``LLM`` or ``CHAIN``."""
    status: str = "running"
    error: str | None = Field(default=None, sa_type=sa.Text)
    inputs: Any = Field(default=None, sa_type=sa.JSON)
    outputs: Any = Field(default=None, sa_type=sa.JSON)
    logs: list[dict[str, Any]] = Field(default_factory=list, sa_type=sa.JSON)
    attributes: dict[str, Any] = Field(default_factory=dict, sa_type=sa.JSON)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    started_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
