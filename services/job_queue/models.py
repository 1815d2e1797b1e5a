"""Jobs and the events of their logs, as callers see them."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

__all__ = ["TERMINAL_EVENTS", "Job", "JobEvent", "JobPage", "JobStatus"]


class JobStatus(StrEnum):
    """How far a job is: ``queued`` → ``running`` → one of the others, which it never leaves."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def finished(self) -> bool:
        """Whether nothing will happen any more."""
        return self not in {JobStatus.QUEUED, JobStatus.RUNNING}


TERMINAL_EVENTS: Final = frozenset({"end", "error", "cancelled"})
"""The types of the event that closes a log; each log has exactly one of them, as its last."""


class JobEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of a job's log.

    Attributes:
        id: Increases within the job; never used twice.
        type: What happened.
        payload: The data as JSON, in UTF-8.
        time: When, in seconds since 1970.
    """

    id: int
    type: str
    payload: bytes
    time: float

    @property
    def data(self) -> Any:
        """The data, decoded anew at each access, so that no reader can change what another one gets."""
        return msgspec.json.decode(self.payload)

    @property
    def created_at(self) -> datetime:
        """When, in UTC."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def terminal(self) -> bool:
        """Whether it is the last of its log."""
        return self.type in TERMINAL_EVENTS


class Job(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job at one moment.

    Attributes:
        id: The job.
        user_id: Its owner.
        kind: What sort of work it is.
        flow_id: The flow that it runs, if any.
        session_id: The session that it runs in, if any.
        status: How far it is.
        error: Why it did not succeed; None if it did or may still.
        last_event_id: Id of the last event that can be read; 0: none yet, or another process runs the job.
        created_at: When it was submitted, in UTC.
        started_at: When it began to run.
        finished_at: When it ended.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    kind: str
    flow_id: uuid.UUID | None
    session_id: str | None
    status: JobStatus
    error: str | None
    last_event_id: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs, newest first.

    Attributes:
        items: The jobs.
        next_cursor: What to ask on with; None at the end.
    """

    items: tuple[Job, ...]
    next_cursor: str | None
