"""What each change of a run's state writes: the one place that knows the columns of every state."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bedplate.services.database.models import PREFIX, metadata
from bedplate.services.database.repositories.task_run import kept_key
from bedplate.services.task.models import TaskStatus

__all__ = ["back_to_queue", "finished", "not_tried_again", "requeued"]

_RUNS = metadata.tables[f"{PREFIX}task_run"]


def finished(
    status: TaskStatus,
    now: datetime,
    *,
    result: str | None = None,
    error: str | None = None,
    error_code: str | None = None,
    traceback: str | None = None,
) -> dict[str, Any]:
    """To an end. The key of the run is free again, unless it is one to keep."""
    return {
        "status": status.value,
        "finished_at": now,
        "result": result,
        "error": error,
        "error_code": error_code,
        "traceback": traceback,
        "unique_key": kept_key,
    }


def not_tried_again(code: str, text: str, now: datetime) -> dict[str, Any]:
    """To the dead letters, for a reason that is not the function's."""
    return finished(TaskStatus.FAILED, now, error=text, error_code=code)


def back_to_queue(now: datetime, run_at: datetime, **changes: Any) -> dict[str, Any]:
    """From running to waiting; one that somebody has asked to cancel meanwhile is cancelled instead."""
    cancelled = _RUNS.c.cancel_requested
    return {
        "status": sa.case((cancelled, TaskStatus.CANCELLED.value), else_=TaskStatus.QUEUED.value),
        "finished_at": sa.case((cancelled, sa.literal(now, _RUNS.c.finished_at.type)), else_=None),
        "unique_key": sa.case((sa.and_(cancelled, sa.not_(_RUNS.c.key_kept)), None), else_=_RUNS.c.unique_key),
        "run_at": run_at,
        "announced_at": None,
        "instance_id": None,
        **changes,
    }


def requeued(now: datetime) -> dict[str, Any]:
    """From the dead letters to waiting, as if it had just been submitted."""
    return {
        "status": TaskStatus.QUEUED.value,
        "run_at": now,
        "announced_at": now,
        "finished_at": None,
        "failures": 0,
        "losses": 0,
        "cancel_requested": False,
        "instance_id": None,
        "progress": None,
    }
