"""Submits the tasks of the system that are due by their cron expressions, each once for all processes together."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from bedplate.services.database.models import utc_now
from bedplate.services.logs import get_logger
from bedplate.services.task.cron import Cron
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.models import TaskStatus
from bedplate.services.task.service import TaskService

__all__ = ["Scheduler"]

_LONGEST_SLEEP: Final = 30.0
"""Seconds: the clock of the system may be put forward, and a module with tasks be imported."""

_log = get_logger("bedplate.task")


class Scheduler:
    """Every process that executes has one: whichever is first submits, under a key that all agree on.

    A time that has passed while no process was there is made up for, the last of several, if it is not longer ago than
    ``catch_up``. While the run of the time before has not finished, a time is left out.

    Args:
        tasks: The task service.
        catch_up: Seconds.
        clock: What time it is.
    """

    def __init__(self, tasks: TaskService, catch_up: float, clock: Callable[[], datetime] = utc_now) -> None:
        self._tasks = tasks
        self._clock = clock
        self._begun = clock() - timedelta(seconds=catch_up)
        self._done: dict[str, datetime] = {}

    async def tick(self) -> float:
        """Submit what is due; seconds until the next time, or sooner."""
        wait = _LONGEST_SLEEP
        for definition in self._tasks.registry:
            if (cron := definition.cron) is None:
                continue
            now = self._clock()
            fire = cron.latest(self._done.get(definition.name, self._begun), now)
            if fire is not None:
                await self._submit(definition, fire)
            self._done[definition.name] = now
            wait = min(wait, _seconds_to_next(cron, now))
        return wait

    async def _submit(self, definition: TaskDefinition, fire: datetime) -> None:
        name = definition.name
        for status in (TaskStatus.QUEUED, TaskStatus.RUNNING):
            unfinished = (await self._tasks.list(None, name=name, status=status, limit=1)).items
            if unfinished and unfinished[0].created_at < fire:
                _log.warning("scheduled task is left out, as the last has not finished", task=name)
                return
        await self._tasks.submit(None, name, key=f"cron {fire.isoformat()}")


def _seconds_to_next(cron: Cron, now: datetime) -> float:
    return max(0.0, (cron.following(now) - now).total_seconds())
