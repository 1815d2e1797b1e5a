"""Tasks over Celery: its messages carry ids to the processes of ``bedplate worker``, and the database the truth."""

import asyncio
import uuid
from typing import Final, Self

from bedplate.services.database.models import utc_now
from bedplate.services.errors import BedplateError
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.backend import Due, RunsTasks
from bedplate.services.task.celery_app import NotAcceptingError
from bedplate.services.task.celery_broker import BrokerAddress, broker_address, queue_of, queues_of
from bedplate.services.task.celery_outbox import Line, Outbox

__all__ = ["CeleryBackend"]

_BATCH: Final = 500
_CLOSING: Final = 2.0


class CeleryBackend:
    """Submits send the id of their run to a broker, whose workers take the run from the database and execute it.

    A message says no more than that a run may be due: one too many does nothing, since a run is taken but once, and
    one that is lost is made up for, since workers announce what is due and has waited for long. So the visibility
    timeout of the broker decides nothing, a broker that is away delays runs, and one that loses its data loses none.

    Args:
        values: The settings of tasks.
        address: The broker.

    Attributes:
        delivers: Whether this process is one that Celery brings messages to, which ``bedplate worker`` makes it.
        address: The broker.
    """

    name = "celery"
    begins_here = False

    def __init__(self, values: TaskSettings, address: BrokerAddress) -> None:
        self.delivers = False
        self.address = address
        self._values = values
        self._worker: RunsTasks | None = None
        self._outbox: Outbox | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def from_settings(cls, settings: SettingsService) -> Self:
        """See :class:`~bedplate.services.task.backend.TaskBackend`.

        Raises:
            BrokerSettingError: No broker is set, or it cannot be used.
        """
        return cls(settings.values.task, broker_address(settings))

    def call(self) -> None:
        """Have the broker answer, over a connection made for this alone; blocks, and needs no start.

        Raises:
            BrokerUnavailableError: It does not answer.
            BrokerSettingError: It refuses the user, the password, the virtual host or the certificate.
        """
        try:
            Line(self._values, self.address).ping()
        except Exception as error:
            raise self.address.error(error) from error

    async def start(self) -> None:
        """See whether the broker answers; a worker starts without it, and has tasks when it is back.

        Raises:
            BrokerUnavailableError: It does not answer.
            BrokerSettingError: It refuses the user, the password, the virtual host or the certificate.
        """
        self._loop = asyncio.get_running_loop()
        outbox = Outbox(Line(self._values, self.address), self.address)
        outbox.open()
        self._outbox = outbox
        if not self.delivers:
            await outbox.ask(Line.ping)

    async def stop(self) -> None:
        """Send what waits to be sent, if the broker answers."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            await outbox.close(_CLOSING, self.address.timeout)
        self._loop = None

    async def check(self) -> str | None:
        """Whether the broker answers: without it submits are kept, and executed later."""
        if self._outbox is None:
            return None
        try:
            await self._outbox.ask(Line.ping)
        except BedplateError as error:
            return f"{error.what} at {self.address.masked}: submitted tasks are kept, and executed when it is back"
        return None

    def announce(self, due: Due) -> None:
        """Send the id of a run that is due; what is due later, a worker sends when it is."""
        if self._outbox is not None and due.run_at <= utc_now():
            self._outbox.put(due)

    async def serve(self, worker: RunsTasks) -> None:
        """Execute what is delivered; announce what has become due, and once more what nobody seems to have heard of."""
        self._worker = worker
        loop = asyncio.get_running_loop()
        look_at = loop.time()
        try:
            while True:
                await worker.heed_cancels()
                wait = await self._announce_due(worker)
                if loop.time() >= look_at:
                    await self._announce_again(worker)
                    look_at = loop.time() + self._values.resend_after / 2
                await worker.rest(min(wait, self._values.poll_interval))
        finally:
            self._worker = None

    def deliver(self, run_id: uuid.UUID) -> None:
        """Execute a run to the end of its attempt, if it is there to be taken; called on a thread of Celery's.

        Raises:
            NotAcceptingError: This process takes no runs, or no more.
        """
        if (loop := self._loop) is None:
            raise NotAcceptingError
        asyncio.run_coroutine_threadsafe(self._execute(run_id), loop).result()

    async def _execute(self, run_id: uuid.UUID) -> None:
        if self._worker is None or not self._worker.accepting:
            raise NotAcceptingError
        try:
            await self._worker.execute(run_id)
        except Exception as error:  # the database is away: the message is kept until it is back
            raise NotAcceptingError from error

    async def _announce_due(self, worker: RunsTasks) -> float:
        """Announce what was put off, tried again or given back and is due now; seconds until there may be more."""
        outbox = self._outbox
        if outbox is None or outbox.trouble is not None:
            return self._values.poll_interval
        while True:
            due, wait = await worker.take_unannounced(_BATCH)
            for one in due:
                outbox.put(one)
            if not due:
                return wait

    async def _announce_again(self, worker: RunsTasks) -> None:
        """Announce what waits for long, but no more than the broker lacks: its workers may just be busy."""
        outbox, after = self._outbox, self._values.resend_after
        if outbox is None or outbox.trouble is not None:
            return
        counts = await worker.count_due(after)
        for queue in queues_of(self._values):
            names = [name for name in counts if queue_of(self._values, name) == queue]
            if not (unheard := sum(counts[name][1] for name in names)):
                continue
            try:
                waiting = await outbox.ask(lambda line, queue=queue: line.depth(queue))  # type: ignore[misc]  # bound
            except BedplateError:
                return
            lacking = sum(counts[name][0] for name in names) - waiting
            if lacking > 0:
                for due in await worker.take_unheard(after, names, min(unheard, lacking, _BATCH)):
                    outbox.put(due)
