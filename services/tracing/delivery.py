"""The way of records to one exporter: a bounded buffer, and a task that empties it in batches."""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.telemetry import Meter
from bedplate.services.tracing.buffer import Buffer, Put
from bedplate.services.tracing.exporter import Exporter, Record

__all__ = ["Delivery"]

_log = get_logger("bedplate.tracing")


class Delivery:
    """Brings records to an exporter, off the path of the runs that they tell of.

    While the exporter is unavailable a batch is kept and tried again, and the buffer fills; a batch that it fails on
    otherwise is split, until what it cannot take stands alone and is dropped. The counter
    ``bedplate_tracing_records`` says what became of every record.

    Args:
        exporter: Takes the records.
        settings: Bounds and times.
        meter: Makes the instruments.
        active: The runs that are going on, for signs of life.
    """

    def __init__(
        self,
        exporter: Exporter,
        settings: TracingSettings,
        meter: Meter,
        active: Callable[[], Sequence[uuid.UUID]],
    ) -> None:
        self._exporter = exporter
        self._settings = settings
        self._active = active
        self._buffer = Buffer(settings.queue_size, settings.queue_bytes)
        self._outcomes = meter.counter(
            "bedplate_tracing_records",
            "Runs and spans by what became of them: sent, stripped, refused, failed or dropped",
            labels=("exporter", "outcome"),
        )
        meter.observe_gauge(
            "bedplate_tracing_waiting",
            "Runs and spans that wait to be written",
            lambda: [(len(self._buffer), {"exporter": exporter.name})],
            labels=("exporter",),
        )
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._done = 0
        self._trouble: str | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def is_read_back(self) -> bool:
        """Whether what it delivers is what the service reads."""
        return self._exporter.is_read_back

    @property
    def trouble(self) -> str | None:
        """Why the last try failed; None if it did not."""
        return self._trouble

    def offer(self, record: Record) -> bool:
        """Take a record on its way, from any thread, without waiting; False if it was dropped."""
        put = self._buffer.put(record) if self._task else Put.DROPPED
        if put is not Put.KEPT:
            self._count(1, put)
        if put is Put.DROPPED:
            return False
        self._signal()
        return True

    def start(self) -> None:
        """Begin to empty the buffer."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._filled, self._hurried = asyncio.Event(), asyncio.Event()
        self._touched = time.monotonic()
        self._done = self._buffer.inserted  # what an earlier life left was dropped
        self._task = asyncio.create_task(self._work(), name=f"bedplate-tracing-{self._exporter.name}")

    def close(self) -> Sequence[asyncio.Task[None]]:
        """Stop emptying the buffer; drop and count what waits. Returns what ends soon, for awaiting."""
        task, self._task = self._task, None
        if task is None:
            return ()
        task.cancel()
        # Not settled: the task settles what it has in hand by how much was settled since it took it.
        self._count(len(self._buffer.take(2**31, 2**62)), Put.DROPPED)
        self._release(all_of_them=True)
        return (task,)

    async def flush(self, timeout: float) -> bool:
        """Wait until what waits now is delivered, or given up; False if that takes longer than ``timeout`` seconds."""
        target = self._buffer.inserted
        if self._done >= target or self._task is None:
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((target, waiter))
        self._hurried.set()
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return False
        finally:
            with suppress(ValueError):
                self._waiters.remove((target, waiter))
        return True

    def _signal(self) -> None:
        if threading.get_ident() == self._thread:
            self._filled.set()
        elif self._loop is not None:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(self._filled.set)

    async def _work(self) -> None:
        while True:
            await self._gather()
            await self._touch()
            while batch := self._buffer.take(self._settings.batch_size, self._settings.batch_bytes):
                before = self._done
                try:
                    await self._deliver(batch, self._settings.export_attempts)
                except asyncio.CancelledError:
                    self._settle(len(batch) - (self._done - before), Put.DROPPED)
                    raise
                self._release()

    async def _gather(self) -> None:
        """Wait for a first record, or until a sign of life is due; then a little for others to come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._touched + self._settings.heartbeat - time.monotonic())):
                await self._filled.wait()
        if self._filled.is_set() and not self._waiters:
            await self._pause(self._settings.flush_interval)
        self._filled.clear()
        self._hurried.clear()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()

    async def _touch(self) -> None:
        if time.monotonic() - self._touched < self._settings.heartbeat:
            return
        self._touched = time.monotonic()
        if runs := self._active():
            try:
                async with asyncio.timeout(self._settings.export_timeout):
                    await self._exporter.touch(runs)
            except Exception as error:
                self._failed(error)

    async def _deliver(self, batch: list[Record], attempts: int) -> None:
        if await self._try(batch, attempts):
            return
        if len(batch) == 1:
            self._settle(1, "failed")
            return
        half = len(batch) // 2
        await self._deliver(batch[:half], 1)
        await self._deliver(batch[half:], 1)

    async def _try(self, batch: list[Record], attempts: int) -> bool:
        """Export the batch; wait as long as the exporter is unavailable; False if it fails otherwise."""
        tries, delay = 0, self._settings.retry_delay
        while True:
            try:
                async with asyncio.timeout(self._settings.export_timeout):
                    refused = await self._exporter.export(batch)
            except Exception as error:
                self._failed(error)
                tries += not isinstance(error, UnavailableError | TimeoutError)
                if tries >= attempts:
                    return False
            else:
                self._trouble = None
                self._settle(len(batch) - refused, "sent")
                self._settle(refused, "refused")
                return True
            # A flush, at stop or by a reader, is worth one try at once.
            await self._pause(delay)
            self._hurried.clear()
            delay = min(delay * 2, self._settings.retry_delay_max)

    def _failed(self, error: Exception) -> None:
        if self._trouble is None:
            _log.warning("runs cannot be written for now", exporter=self._exporter.name, error=error)
        self._trouble = type(error).__name__

    def _count(self, number: int, outcome: str) -> None:
        if number:
            self._outcomes.add(number, exporter=self._exporter.name, outcome=outcome)

    def _settle(self, number: int, outcome: str) -> None:
        self._done += number
        self._count(number, outcome)

    def _release(self, *, all_of_them: bool = False) -> None:
        for target, waiter in self._waiters:
            if (all_of_them or target <= self._done) and not waiter.done():
                waiter.set_result(None)
