"""Runs of tasks: what is to be done, who does it, what came of it."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["TaskRunRow"]


class TaskRunRow(Table, table=True):
    """One run of a task; the truth about it, whatever carries its id to a worker."""

    __tablename__ = f"{PREFIX}task_run"
    __table_args__ = (
        sa.Index(None, "user_id", "created_at"),
        sa.Index(None, "status", "run_at", "announced_at"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID | None = Field(default=None, foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    """The owner; None: the system's own."""
    name: str
    status: str = "queued"
    """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""
    priority: int = 0
    """Higher goes first."""
    run_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    """Not before this moment."""
    arguments: str = Field(default="{}", sa_type=sa.Text)
    """JSON object."""
    unique_key: str | None = Field(default=None, unique=True)
    """Owner, task and key of a run that must not be there twice."""
    key_kept: bool = False
    """Whether the key stays taken when the run has finished."""
    attempt: int = 0
    """How often it was started; with the instance, what proves that a writer still holds the run."""
    failures: int = 0
    """How often its function failed."""
    losses: int = 0
    """How often the process that ran it died."""
    max_attempts: int = 1
    """After so many failures it is not tried again."""
    timeout: float
    """Seconds that one attempt may take."""
    instance_id: uuid.UUID | None = None
    """The process that runs it, or ran it last."""
    cancel_requested: bool = False
    progress: str | None = Field(default=None, sa_type=sa.Text)
    """JSON object."""
    result: str | None = Field(default=None, sa_type=sa.Text)
    """JSON."""
    error: str | None = Field(default=None, sa_type=sa.Text)
    error_code: str | None = None
    traceback: str | None = Field(default=None, sa_type=sa.Text)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime, index=True)
    announced_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When workers were last told that it is due, by a backend that carries ids; none while nobody is about to."""
    traceparent: str | None = None
    """The trace that it is part of (W3C Trace Context)."""
    tracestate: str | None = None
