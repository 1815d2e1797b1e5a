"""Runs of tasks, as callers see them."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["Progress", "TaskPage", "TaskRun", "TaskStatus"]


class TaskStatus(StrEnum):
    """How far a run is.

    ``queued`` ⇄ ``running`` → ``succeeded``, ``failed`` or ``cancelled``. A run goes back to ``queued`` to be tried
    again, and from ``failed``, the dead letters, when somebody requeues it.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing will happen any more by itself."""
        return self not in {TaskStatus.QUEUED, TaskStatus.RUNNING}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the function says it is.

    Attributes:
        fraction: From 0 to 1; None where it does not know.
        message: For people.
        data: JSON-like details for programs.
    """

    fraction: float | None = None
    message: str | None = None
    data: dict[str, Any] = {}


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a task at one moment.

    Attributes:
        id: The run.
        user_id: Its owner; None: the system.
        name: The task.
        status: How far it is.
        priority: Higher goes first.
        run_at: It is not started before, in UTC.
        arguments: What its function is given.
        attempt: How often it was started.
        failures: How often its function failed.
        max_attempts: After so many failures it is not tried again.
        timeout: Seconds that one attempt may take.
        cancel_requested: Whether it is asked to end.
        progress: How far its function says it is; None if it has not said so.
        result: What its function returned; None in lists.
        error: Why it failed, last or for good, for people; secrets are masked.
        error_code: The stable identifier of why.
        traceback: Where its function failed, for developers; secrets are masked; None in lists.
        created_at: When it was submitted, in UTC.
        started_at: When it was started last.
        finished_at: When it ended.
    """

    id: uuid.UUID
    user_id: uuid.UUID | None
    name: str
    status: TaskStatus
    priority: int
    run_at: datetime
    arguments: dict[str, Any]
    attempt: int
    failures: int
    max_attempts: int
    timeout: float
    cancel_requested: bool
    progress: Progress | None
    result: Any
    error: str | None
    error_code: str | None
    traceback: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    def __repr__(self) -> str:
        # Arguments and result are the user's own, and may hold secrets.
        return f"<TaskRun {self.id} {self.name!r} {self.status}>"


class TaskPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some runs, newest first.

    Attributes:
        items: The runs.
        next_cursor: What to ask on with; None at the end.
    """

    items: tuple[TaskRun, ...]
    next_cursor: str | None
