"""Tells several vendors at once what runs did, off the path of the runs."""

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.telemetry import Meter
from bedplate.services.tracing.exporter import Record
from bedplate.services.tracing.vendors.client_log import QuietClient
from bedplate.services.tracing.vendors.pipeline import Pipeline
from bedplate.services.tracing.vendors.registry import VENDORS
from bedplate.services.tracing.vendors.sampling import TailSampler
from bedplate.services.tracing.vendors.spans import resource_of
from bedplate.services.tracing.vendors.step import Step
from bedplate.services.tracing.vendors.vendor import Destination

__all__ = ["Fanout"]

_GATHER: Final = 0.02
_PIECE: Final = 32
_PAUSE: Final = 0.0005

_log = get_logger("bedplate.tracing")


class _Flush:
    """Waits for all vendors; arrives on the event loop that asked."""

    def __init__(self, vendors: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[bool] = self._loop.create_future()
        self._left = vendors
        self._complete = True
        self._lock = threading.Lock()

    def arrived(self, complete: bool) -> None:
        with self._lock:
            self._left -= 1
            self._complete &= complete
            if self._left > 0:
                return
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if not self.future.done():
            self.future.set_result(self._complete)


class Fanout:
    """Takes what has ended from the event loop at the cost of an append, and hands it to each vendor's pipeline.

    Threads are started with the first span, in the process that records it: a process that was forked from one that
    had threads starts its own, and leaves what waited to its parent.

    Args:
        destinations: Where the spans of each vendor go, by its name.
        settings: Bounds and times.
        meter: Makes the instruments.
        content: Whether inputs, outputs and logs may be told.
        service_name: The name of the service.
    """

    def __init__(
        self,
        destinations: Mapping[str, Destination],
        settings: TracingSettings,
        meter: Meter,
        *,
        content: bool,
        service_name: str,
    ) -> None:
        self._destinations = destinations
        self._settings = settings
        self._content = content
        self._resource = resource_of(service_name)
        self._outcomes = meter.counter(
            "bedplate_tracing_records",
            "Runs and spans by what became of them: sent, stripped, refused, failed or dropped",
            labels=("exporter", "outcome"),
        )
        self._unsampled = meter.counter(
            "bedplate_tracing_unsampled", "Runs and spans that vendors are not told of, by the share that is sampled"
        )
        for name in destinations:
            self._observe(meter, name)
        self._quiet = QuietClient()
        self._running = False
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._intake: deque[Record | _Flush] = deque()
        self._bytes = 0
        self._filled = threading.Event()
        self._thread: threading.Thread | None = None
        self._sampler = TailSampler(self._settings.vendor_queue_size, self._settings.vendor_queue_bytes)
        turn = threading.Lock()
        self._pipelines = [
            Pipeline(vendor, destination, self._settings, self._outcomes, turn, self._resource)
            for vendor in VENDORS
            if (destination := self._destinations.get(vendor.name)) is not None
        ]

    @property
    def names(self) -> Sequence[str]:
        """The vendors that are told."""
        return [pipeline.vendor.name for pipeline in self._pipelines]

    @property
    def troubles(self) -> Mapping[str, str]:
        """Why the last request to a vendor was not taken, of those where it was not."""
        return {one.vendor.name: one.trouble for one in self._pipelines if one.trouble is not None}

    def start(self) -> None:
        """Accept records."""
        self._quiet.begin()
        self._running = True
        _log.info("runs are told to vendors", vendors=", ".join(self.names), content=self._content)

    def offer(self, record: Record) -> bool:
        """Take a record on its way, from any thread, without waiting; False if it was dropped."""
        if not self._running:
            return False
        if record.ended_at is None:
            return True  # vendors are told of what has ended: none of them can be told twice without harm
        if self._pid != os.getpid():
            self._reset()
        with self._lock:
            full = (
                len(self._intake) >= self._settings.vendor_queue_size
                or self._bytes + record.size > self._settings.vendor_queue_bytes
            )
            if not full:
                self._intake.append(record)
                self._bytes += record.size
        if full:
            for name in self.names:
                self._outcomes.add(1, exporter=name, outcome="dropped")
            return False
        self._wake()
        return True

    async def flush(self, timeout: float) -> bool:
        """Wait until what was recorded is delivered or given up; False if that takes longer, or a vendor is down."""
        if not self._running or not self._pipelines:
            return True
        flush = _Flush(len(self._pipelines))
        with self._lock:
            self._intake.append(flush)
        self._wake()
        try:
            async with asyncio.timeout(timeout):
                return await flush.future
        except TimeoutError:
            return False

    def close(self) -> None:
        """Accept nothing more, and drop and count what waits; requests under way end by themselves."""
        if not self._running:
            return
        self._running = False
        self._filled.set()
        with self._lock:
            left = sum(not isinstance(one, _Flush) for one in self._intake)
            self._intake.clear()
            self._bytes = 0
        for pipeline in self._pipelines:
            if left:
                self._outcomes.add(left, exporter=pipeline.vendor.name, outcome="dropped")
            pipeline.close()
        self._quiet.end()
        self._reset()

    def _wake(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._work,
                        args=(self._intake, self._filled, self._pipelines),
                        name="bedplate-tracing-fanout",
                        daemon=True,
                    )
                    self._thread.start()
        if not self._filled.is_set():
            self._filled.set()

    def _work(self, intake: "deque[Record | _Flush]", filled: threading.Event, pipelines: Sequence[Pipeline]) -> None:
        while self._running and intake is self._intake:
            filled.wait()
            time.sleep(_GATHER)
            filled.clear()
            number = 0
            while intake:
                try:
                    self._pass_on(intake.popleft(), pipelines)
                except Exception as error:
                    _log.error("a span could not be handed to vendors", error=type(error).__name__)
                if (number := number + 1) % _PIECE == 0:
                    time.sleep(_PAUSE)

    def _pass_on(self, one: "Record | _Flush", pipelines: Sequence[Pipeline]) -> None:
        if isinstance(one, _Flush):
            for pipeline in pipelines:
                pipeline.flush(one)
            return
        with self._lock:
            self._bytes -= one.size
        if one.run is None:
            return
        steps, given_up = self._sampler.decide(Step(one, one.run, content=self._content))
        if given_up:
            self._unsampled.add(given_up)
        for step in steps:
            for pipeline in pipelines:
                pipeline.offer(step)

    def _observe(self, meter: Meter, name: str) -> None:
        meter.observe_gauge(
            "bedplate_tracing_waiting",
            "Runs and spans that wait to be written",
            lambda: [(len(one), {"exporter": name}) for one in self._pipelines if one.vendor.name == name],
            labels=("exporter",),
        )
