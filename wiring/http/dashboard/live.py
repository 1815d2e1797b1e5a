"""What is measured while somebody looks: the numbers of the charts, the state of the services, what has changed."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import Any

import msgspec

from bedplate.containers import ApplicationContainer
from bedplate.services.logs import get_logger
from bedplate.services.telemetry import OperationStats
from bedplate.wiring.http.dashboard.measures import READ, Reading, sample

__all__ = ["Live", "Moment"]

_log = get_logger("bedplate.dashboard")

INTERVAL = 1.0
"""Seconds between two moments."""
KEPT = 600
"""Moments that a new reader is given: ten minutes."""
CHECKED_EVERY = 2
"""Moments for each time that services are asked for their health."""
LINGER = 600.0
"""Seconds for which measuring goes on after the last reader has left."""
_SHORTEST = 0.5
"""Seconds that two looks at the operations are apart, at least."""
_TICK = 0.1
"""Seconds between two looks at the lag of the event loop."""


class Moment(msgspec.Struct, frozen=True):
    """What was measured at one time.

    Attributes:
        at: Seconds since 1970.
        values: By line of a chart.
        services: The state of each service; empty if they were not asked.
        changed: What is to be read again: ``jobs``.
    """

    at: float
    values: Mapping[str, float | None]
    services: Mapping[str, Any]
    changed: tuple[str, ...] = ()


class Live:
    """Measures while there are readers, and a little longer; nothing before the first.

    Args:
        container: The services.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container
        self._moments: deque[Moment] = deque(maxlen=KEPT)
        self._news = asyncio.Event()
        self._count = 0
        self._readers = 0
        self._rates = Rates()
        self._left_at = 0.0
        self._changed: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the application ends."""
        return self._closed

    @property
    def moments(self) -> list[Moment]:
        """What was measured of late, oldest first."""
        return list(self._moments)

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[None]:
        """Measure while the block runs."""
        self._readers += 1
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._run(), name="bedplate-dashboard")
        try:
            yield
        finally:
            self._readers -= 1
            self._left_at = time.monotonic()

    async def follow(self) -> AsyncGenerator[Moment, None]:
        """Each moment as it comes; one that reads slowly misses some. Ends when the application does."""
        while True:
            await self._news.wait()
            if self._closed:
                return
            yield self._moments[-1]

    async def close(self) -> None:
        """End measuring, and every reader."""
        self._closed = True
        self._news.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def state(self) -> dict[str, Any]:
        """State and health of every service now."""
        health = await self._container.health()
        found: dict[str, Any] = {}
        rates = self._rates.now(self._container.telemetry().operations())
        for record in self._container.report.services:
            own = health.services.get(record.name)
            found[record.name] = {
                "state": str(record.state),
                "health": str(own.status) if own else "none",
                "reason": self._container.redactor().text(own.reason) if own and own.reason else None,
                "latency": round(own.latency_ms, 3) if own else None,
                **rates.get(record.name, {}),
            }
        return found

    async def _run(self) -> None:
        unwatch = self._container.job_queue().watch(lambda _job: self._changed.add("jobs"))
        try:
            before = self._reading()
            while self._readers or time.monotonic() - self._left_at < LINGER:
                lag = await _longest_lag(INTERVAL)
                try:
                    before = await self._measure(before, lag)
                except Exception as error:
                    # A page that shows nothing new is no reason to stop looking.
                    _log.warning("the dashboard could not measure", error=type(error).__name__)
        finally:
            unwatch()
            self._task = None

    async def _measure(self, before: Reading, lag: float) -> Reading:
        self._count += 1
        services = await self.state() if self._count % CHECKED_EVERY == 0 else {}
        now = self._reading()
        changed, self._changed = tuple(sorted(self._changed)), set()
        values = sample(before, now) | {"lag": round(lag * 1e3, 3)}
        self._moments.append(Moment(time.time(), values, services, changed))
        news, self._news = self._news, asyncio.Event()
        news.set()
        return now

    def _reading(self) -> Reading:
        telemetry = self._container.telemetry()
        return Reading.of(time.monotonic(), telemetry.metrics(*READ), telemetry.operations())


class Rates:
    """How many operations of each service end in a second, and how long they take, between two looks."""

    def __init__(self) -> None:
        self._at = 0.0
        self._before: dict[str, tuple[int, int, float]] = {}
        self._latest: dict[str, dict[str, float | None]] = {}

    def now(self, operations: Iterable[OperationStats]) -> dict[str, dict[str, float | None]]:
        """Calls and errors ever, calls in a second, and milliseconds a call, by service."""
        at, totals = time.monotonic(), dict[str, tuple[int, int, float]]()
        if at - self._at < _SHORTEST:
            return self._latest
        for one in operations:
            calls, errors, seconds = totals.get(one.service, (0, 0, 0.0))
            totals[one.service] = calls + one.calls, errors + one.errors, seconds + one.seconds
        for name, (calls, errors, seconds) in totals.items():
            calls_before, _, seconds_before = self._before.get(name, (calls, 0, seconds))
            fresh = calls - calls_before
            self._latest[name] = {
                "calls": calls,
                "errors": errors,
                "rate": round(fresh / (at - self._at), 2),
                "ms": round((seconds - seconds_before) / fresh * 1e3, 3) if fresh else None,
            }
        self._at, self._before = at, totals
        return self._latest


async def _longest_lag(seconds: float) -> float:
    """How much later than asked for the event loop came back, at worst, over some seconds."""
    loop = asyncio.get_running_loop()
    end, worst = loop.time() + seconds, 0.0
    while (now := loop.time()) < end:
        await asyncio.sleep(_TICK)
        worst = max(worst, loop.time() - now - _TICK)
    return worst
