"""What runs and spans that are recorded have in common."""

import asyncio
import time
from collections.abc import Callable
from contextvars import Token
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bedplate.services.database.models import utc_now
from bedplate.services.engines.trace_context import TraceContext
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.telemetry import Counter
from bedplate.services.tracing.content import Content
from bedplate.services.tracing.exporter import Record, RunInfo
from bedplate.services.tracing.guard import Guard
from bedplate.services.tracing.models import Status
from bedplate.services.tracing.spans import Run, Span, current

if TYPE_CHECKING:
    from bedplate.services.tracing.recorded_run import RecordedRun

__all__ = ["Clock", "Recorder", "Timed", "context_under", "error_of", "status_of"]


class Recorder:
    """What all runs and spans of a service share.

    Args:
        settings: Limits.
        content: Redacts and cuts.
        guard: Swallows failures.
        emit: Takes a record on its way; False if it was dropped.
        active: The runs that are going on; each adds and removes itself.
        cut: Counts spans beyond ``max_spans_per_run``.
        tokens: Counts tokens of language models, by ``direction``.
    """

    def __init__(
        self,
        settings: TracingSettings,
        content: Content,
        guard: Guard,
        emit: Callable[[Record], bool],
        active: "set[RecordedRun]",
        cut: Counter,
        tokens: Counter,
    ) -> None:
        self.settings = settings
        self.content = content
        self.guard = guard
        self.emit = emit
        self.active = active
        self.cut = cut
        self.tokens = tokens


class Clock:
    """The time of one run, which never goes back: no span begins before its run or ends after it."""

    __slots__ = ("_begun", "_zero")

    def __init__(self) -> None:
        self._zero = utc_now()
        self._begun = time.perf_counter()

    def now(self) -> datetime:
        """The moment, in UTC."""
        return self._zero + timedelta(seconds=time.perf_counter() - self._begun)


class Timed:
    """What runs and spans have in common: when they began, and whether they have ended.

    Args:
        clock: The clock of the run.
    """

    __slots__ = ("clock", "ended", "error", "started_at", "status", "token")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.started_at = clock.now()
        self.ended = False
        self.token: Token[Run | Span | None] | None = None
        self.status = Status.RUNNING
        self.error: str | None = None

    def leave(self) -> None:
        """Give the current run and span back to what was there before."""
        token, self.token = self.token, None
        if token is not None:
            current.reset(token)


def context_under(run: RunInfo, span_id: int) -> TraceContext:
    """Where what is called from this span of a run goes on."""
    return TraceContext(trace_id=run.trace_id, span_id=span_id, sampled=run.sampled, recorded_id=span_id)


def error_of(error: BaseException | None) -> BaseException | None:
    """Return what of an exception that left a block is worth noting."""
    return None if status_of(error) is Status.CANCELLED else error


def status_of(error: BaseException | None) -> Status:
    """Return how a block ended."""
    if error is None:
        return Status.OK
    return Status.CANCELLED if isinstance(error, asyncio.CancelledError | GeneratorExit) else Status.ERROR
