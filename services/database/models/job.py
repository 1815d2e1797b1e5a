"""Jobs, their event logs, and the process instances that run them."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["InstanceRow", "JobEventRow", "JobRow"]


class InstanceRow(Table, table=True):
    """A running process, alive while its lease is renewed."""

    __tablename__ = f"{PREFIX}instance"

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    started_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    lease_expires_at: datetime = Field(sa_type=UTCDateTime, index=True)


class JobRow(Table, table=True):
    """A job: who owns it, who runs it, how far it is."""

    __tablename__ = f"{PREFIX}job"
    __table_args__ = (
        sa.Index(None, "user_id", "created_at"),
        sa.Index(None, "status", "instance_id"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    flow_id: uuid.UUID | None = Field(default=None, foreign_key=f"{PREFIX}flow.id", ondelete="SET NULL", index=True)
    session_id: str | None = None
    kind: str = "flow"
    status: str = "queued"
    """``queued``, ``running``, ``succeeded``, ``failed``, ``cancelled`` or ``interrupted``."""
    error: str | None = Field(default=None, sa_type=sa.Text)
    instance_id: uuid.UUID | None = None
    last_event_id: int = 0
    """Last id of the log, once the job has finished."""
    reserved_event_id: int = 0
    """Highest id that the running job may hand out: what is appended for a process that died comes after it."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)


class JobEventRow(Table, table=True):
    """A run of consecutive events of a job's log, as they were committed together.

    A stream of tokens is many small events: one row per commit instead of one per event keeps the log's cost near
    that of its bytes. Ids within the log increase and are never used twice; ``first_seq`` and ``seq`` are the first
    and the last of the row.
    """

    __tablename__ = f"{PREFIX}job_event"

    job_id: uuid.UUID = Field(foreign_key=f"{PREFIX}job.id", ondelete="CASCADE", primary_key=True)
    seq: int = Field(primary_key=True)
    first_seq: int
    events: str = Field(sa_type=sa.Text)
    """JSON array of ``[id, type, time in seconds since 1970, data]``."""
