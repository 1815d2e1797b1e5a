"""Takes runs from the database into the slots of this process."""

import asyncio
import uuid
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import TypeVar

import anyio

from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.attempt import EndReason
from bedplate.services.task.backend import Due
from bedplate.services.task.executor import Executor
from bedplate.services.task.journal import Journal
from bedplate.services.task.lease import Lease
from bedplate.services.task.registry import TaskRegistry
from bedplate.services.task.troubles import Troubles

__all__ = ["Taker"]

T = TypeVar("T")

_FAILED = "tasks could not be taken"
_NOT_ANNOUNCED = "tasks that are due could not be looked for"


class Taker:
    """What a backend asks of a worker; see :class:`~bedplate.services.task.backend.RunsTasks`.

    Args:
        settings: The settings of tasks.
        registry: The tasks.
        journal: Where runs are taken from.
        lease: What they are held under.
        troubles: Notes failures.
    """

    def __init__(
        self, settings: TaskSettings, registry: TaskRegistry, journal: Journal, lease: Lease, troubles: Troubles
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._journal = journal
        self._lease = lease
        self._troubles = troubles
        self._executor: Executor | None = None
        self._taking = asyncio.Lock()
        self._woken = asyncio.Event()
        self._more = True
        self._next_look_for_cancels = 0.0

    def fill(self, executor: Executor | None) -> None:
        """Take runs for these slots from now on; None: for none."""
        self._executor = executor

    async def take_due(self) -> float:
        """Take due runs while there are slots, and ask runs to end that other processes ask to end.

        Returns:
            Seconds after which it makes sense to look again.
        """
        self._woken.clear()
        try:
            wait = await self._take_due()
        except Exception as error:
            self._troubles.note(_FAILED, error)
            return self._settings.poll_interval
        self._troubles.over(_FAILED)
        return wait

    @property
    def accepting(self) -> bool:
        """Whether runs are taken; no more while the process drains."""
        return self._executor is not None and self._executor.accepting

    async def execute(self, run_id: uuid.UUID) -> bool:
        """Take one run if it is due and there is a slot, and execute it to its attempt's end; False: not taken."""
        executor = self._executor
        if executor is None or not (names := executor.startable()):
            return False
        try:
            attempts = await self._claim(executor, names, run_id)
        except Exception as error:
            self._troubles.note(_FAILED, error)
            raise
        self._troubles.over(_FAILED)
        if attempts:
            await asyncio.wait(attempts)
        return bool(attempts)

    async def heed_cancels(self) -> None:
        """Have runs of this process end that others ask to end; at most once in a poll interval."""
        if self._executor is not None:
            with self._troubles.noted("cancels of tasks could not be looked for"):
                await self._look_for_cancels(self._executor)

    async def take_unannounced(self, limit: int) -> tuple[Sequence[Due], float]:
        """Due runs that nobody has announced, the caller's to announce; seconds until it makes sense to look again."""
        self._woken.clear()
        self._more = False  # a free slot is no reason to look
        due, wait = await self._looked(self._journal.take_unannounced(limit), ((), None))
        return due, self._settings.poll_interval if wait is None else wait

    async def count_due(self, seconds: float) -> Mapping[str, tuple[int, int]]:
        """How many runs are due, and of how many the word may be lost, by task."""
        return await self._looked(self._journal.count_due(seconds), {})

    async def take_unheard(self, seconds: float, names: Collection[str], limit: int) -> Sequence[Due]:
        """Runs of these tasks of which the word may be lost, the caller's to announce."""
        return await self._looked(self._journal.take_unheard(seconds, names, limit), ())

    def wake(self) -> None:
        """End :meth:`rest`."""
        self._woken.set()

    def freed(self) -> None:
        """Note that a slot is free."""
        # Without this, every run would cost a look for the next, where there is none.
        if self._more:
            self.wake()

    async def rest(self, seconds: float) -> None:
        """Wait until there may be something to take, or until time is up."""
        with anyio.move_on_after(seconds):
            await self._woken.wait()

    async def give_back_strays(self) -> int:
        """Have runs wait again that this process holds and does not know of, as after a lost answer; how many."""
        async with self._taking:
            held = () if self._executor is None else self._executor.held
            return await self._journal.give_back(self._lease.instance_id, held)

    async def _take_due(self) -> float:
        executor = self._executor
        if executor is None:
            return self._settings.poll_interval
        await self._look_for_cancels(executor)
        while names := executor.startable():
            self._more = len(names) < len(self._registry.names)
            wait = await self._journal.seconds_to_next(names)
            if wait is None or wait > 0:
                return self._settings.poll_interval if wait is None else wait
            if not await self._claim(executor, names):
                break
        else:
            self._more = True
        return self._settings.poll_interval

    async def _claim(
        self, executor: Executor, names: list[str], run_id: uuid.UUID | None = None
    ) -> "list[asyncio.Task[None]]":
        async with self._taking:
            limit = executor.free if run_id is None else min(1, executor.free)
            # A submit in the meantime must not take the slots that these will need.
            with executor.expecting(limit):
                claims = await self._journal.claim(self._lease.instance_id, names, limit, run_id=run_id)
                return [executor.start(claim) for claim in claims]

    async def _looked(self, look: Awaitable[T], otherwise: T) -> T:
        try:
            found = await look
        except Exception as error:
            self._troubles.note(_NOT_ANNOUNCED, error)
            return otherwise
        self._troubles.over(_NOT_ANNOUNCED)
        return found

    async def _look_for_cancels(self, executor: Executor) -> None:
        now = asyncio.get_running_loop().time()
        if executor.held and now >= self._next_look_for_cancels:
            self._next_look_for_cancels = now + self._settings.poll_interval
            for run_id in await self._journal.to_cancel(self._lease.instance_id):
                executor.ask_to_end(run_id, EndReason.CANCEL)
