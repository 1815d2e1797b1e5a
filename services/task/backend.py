"""What carries the ids of runs to workers. The database alone says what state a run is in."""

import uuid
from datetime import datetime
from typing import Protocol

__all__ = ["RunsTasks", "TaskBackend"]


class RunsTasks(Protocol):
    """A worker, as a backend sees it: it may be told of what another process does already, and takes it but once."""

    async def take_due(self) -> float:
        """Take due runs while there are slots, and execute them in the background.

        Returns:
            Seconds after which it makes sense to look again; never raises an ``Exception``.
        """
        ...

    def wake(self) -> None:
        """End :meth:`rest`: there may be something to take."""
        ...

    async def rest(self, seconds: float) -> None:
        """Wait until woken, by :meth:`wake` or by a slot that has become free, or until time is up."""
        ...

    async def take(self, run_id: uuid.UUID) -> bool:
        """Take one run if it is due and there is a slot, and execute it in the background; whether it was taken."""
        ...


class TaskBackend(Protocol):
    """Brings runs to workers: wakes them, or carries ids to them; ids and nothing else.

    It is made by ``from_settings(settings)``, a class method that takes the engines that it declares as needed by
    keyword as well.

    Attributes:
        name: What the setting ``BEDPLATE_TASK__BACKEND`` calls it.
    """

    name: str

    async def start(self) -> None:
        """Get ready to announce."""
        ...

    async def stop(self) -> None:
        """Give everything back; safe after a ``start`` that got only half way."""
        ...

    async def check(self) -> str | None:
        """Raise if it does not work, return a reason if it works badly."""
        ...

    def announce(self, run_id: uuid.UUID, run_at: datetime, priority: int) -> None:
        """Say that a committed run is due at a moment. Does not block; a lost word delays a run, and loses none."""
        ...

    async def serve(self, worker: RunsTasks) -> None:
        """Have a worker of this process take runs, until cancelled."""
        ...
