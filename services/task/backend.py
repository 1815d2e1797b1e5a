"""What carries the ids of runs to workers. The database alone says what state a run is in."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

__all__ = ["Due", "RunsTasks", "TaskBackend"]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A run that waits, as a backend is told of it.

    Attributes:
        id: The run.
        name: Its task.
        run_at: It is not started before, in UTC.
        priority: Higher goes first.
        traceparent: The trace that it is part of (W3C Trace Context), for those who watch the messages of a backend:
            its function is given the one that is in the database.
        tracestate: The header that belongs to it.
    """

    id: uuid.UUID
    name: str
    run_at: datetime
    priority: int
    traceparent: str | None = None
    tracestate: str | None = None


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

    @property
    def accepting(self) -> bool:
        """Whether it takes runs; no more while it drains."""
        ...

    async def execute(self, run_id: uuid.UUID) -> bool:
        """Take one run if it is due and there is a slot, and execute it to the end of its attempt; False: not taken.

        Raises:
            Exception: Whether it is there to be taken could not be found out.
        """
        ...

    async def heed_cancels(self) -> None:
        """Have runs of this process end that other processes ask to end.

        :meth:`take_due` does so as well. At most once in a poll interval; never raises an ``Exception``.
        """
        ...

    async def take_unannounced(self, limit: int) -> tuple[Sequence[Due], float]:
        """Due runs that nobody has announced: put off before, tried again, or given back.

        Each is given to one caller, of any process, which is to announce it.

        Returns:
            The runs, and the seconds after which it makes sense to look again; never raises an ``Exception``.
        """
        ...

    async def count_due(self, seconds: float) -> Mapping[str, tuple[int, int]]:
        """How many runs are due, and of how many the word may be lost, by task.

        Those are the ones that were announced longer ago than so many seconds, and wait still.
        """
        ...

    async def take_unheard(self, seconds: float, names: Collection[str], limit: int) -> Sequence[Due]:
        """Runs of these tasks of which the word may be lost, the oldest word first; as :meth:`take_unannounced`."""
        ...


class TaskBackend(Protocol):
    """Brings runs to workers: wakes them, or carries ids to them; ids and nothing else.

    It is made by ``from_settings(settings)``, a class method that takes the engines that it declares as needed by
    keyword as well.

    Attributes:
        name: What the setting ``BEDPLATE_TASK__BACKEND`` calls it.
        delivers: Whether it brings runs to this process; False: the process submits, and others execute.
        begins_here: Whether a new run may begin in the process that submits it, without the backend.
    """

    name: str
    delivers: bool
    begins_here: bool

    async def start(self) -> None:
        """Get ready to announce."""
        ...

    async def stop(self) -> None:
        """Give everything back; safe after a ``start`` that got only half way."""
        ...

    async def check(self) -> str | None:
        """Raise if it does not work, return a reason if it works badly."""
        ...

    def announce(self, due: Due) -> None:
        """Say that a committed run is due at its moment. Does not block; a lost word delays a run, and loses none.

        A backend that carries ids need not hold back what is due later: workers are told of it when it is, by
        :meth:`RunsTasks.take_unannounced`.
        """
        ...

    async def serve(self, worker: RunsTasks) -> None:
        """Have a worker of this process take runs, until cancelled."""
        ...
