"""Deletes what finished long enough ago."""

from datetime import timedelta
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.task_run import TaskRunRepository
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.models import TaskStatus

__all__ = ["delete_old_runs"]

_KEYS_KEPT: Final = timedelta(hours=2)
"""For longer than a time of a cron expression is made up for: its key says that it has been."""


async def delete_old_runs(database: DatabaseService, settings: TaskSettings, *, limit: int) -> int:
    """Delete at most ``limit`` runs whose time is up, dead letters after a longer one; returns how many."""
    kept = {
        (TaskStatus.SUCCEEDED.value, TaskStatus.CANCELLED.value): settings.retention,
        (TaskStatus.FAILED.value,): settings.dead_letter_retention,
    }
    now, deleted = utc_now(), 0
    async with database.transaction() as session:
        for statuses, seconds in kept.items():
            deleted += await TaskRunRepository(session).delete_finished_before(
                now - timedelta(seconds=seconds), statuses, limit - deleted, keyed_before=now - _KEYS_KEPT
            )
    return deleted
