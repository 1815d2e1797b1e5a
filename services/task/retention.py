"""Deletes what finished long enough ago."""

from datetime import timedelta
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.task_run import TaskRunRepository
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.models import TaskStatus

__all__ = ["delete_old_runs"]

_BATCH: Final = 200
_KEYS_KEPT: Final = timedelta(hours=2)
"""For longer than a time of a cron expression is made up for: its key says that it has been."""


async def delete_old_runs(database: DatabaseService, settings: TaskSettings) -> int:
    """Delete runs whose time is up, dead letters after a longer one, in small transactions; returns how many."""
    kept = {
        (TaskStatus.SUCCEEDED.value, TaskStatus.CANCELLED.value): settings.retention,
        (TaskStatus.FAILED.value,): settings.dead_letter_retention,
    }
    deleted = 0
    for statuses, seconds in kept.items():
        count = _BATCH
        while count == _BATCH:
            before = utc_now() - timedelta(seconds=seconds)
            async with database.transaction() as session:
                count = await TaskRunRepository(session).delete_finished_before(
                    before, statuses, _BATCH, keyed_before=utc_now() - _KEYS_KEPT
                )
            deleted += count
    return deleted
