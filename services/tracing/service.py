"""The tracing service."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bedplate.services.base import Service
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import TraceRow, new_id
from bedplate.services.database.retention import BATCH, Retention, delete_old
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.trace_context import TraceContext, current_context
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing.checks import CHECKS
from bedplate.services.tracing.content import Content
from bedplate.services.tracing.delivery import Delivery
from bedplate.services.tracing.exporter import Exporter, Record
from bedplate.services.tracing.guard import Guard
from bedplate.services.tracing.models import SpanKind, Status, Trace, TracePage, TraceTree
from bedplate.services.tracing.reader import TraceReader
from bedplate.services.tracing.recorded_run import RecordedRun
from bedplate.services.tracing.recorder import Recorder
from bedplate.services.tracing.spans import NO_SPAN, Run, Span, current

if TYPE_CHECKING:
    from bedplate.services.tracing.vendors.fanout import Fanout

__all__ = ["TracingService"]


class TracingService(Service):
    """Records runs and their steps, redacted, and reads them back.

    Recording never raises an ``Exception`` into what is traced and never waits: records go through a bounded queue to
    each exporter, and what is too much is dropped and counted. Runs and steps are written when they begin, and again
    when they end, so that those going on are seen too.

    Reading sees what this process has recorded before, unless writing it takes longer than ``read_timeout``.
    """

    type = ServiceType.TRACING
    uncounted = frozenset({"span"})
    checks = CHECKS

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        redactor: Redactor,
        exporters: Sequence[Exporter],
        fanout: "Fanout | None" = None,
    ) -> None:
        self._settings = settings.values.tracing
        self._database = database
        meter = telemetry.meter
        self._active: set[RecordedRun] = set()
        self._deliveries = [Delivery(each, self._settings, meter, self._active_ids) for each in exporters]
        self._fanout = fanout
        self._guard = Guard(
            meter.counter("bedplate_tracing_failures", "Things that could not be recorded because of an exception")
        )
        self._recorder = Recorder(
            self._settings,
            Content(redactor, self._settings, self._guard),
            self._guard,
            self._emit,
            self._active,
            meter.counter("bedplate_tracing_spans_cut", "Spans not recorded because their run had too many"),
            meter.counter("bedplate_tracing_tokens", "Tokens that language models counted", labels=("direction",)),
        )
        self._reader = TraceReader(database, self._settings, lambda run_id: run_id in self._active_ids())

    async def _start(self) -> None:
        for delivery in self._deliveries:
            delivery.start()
        if self._fanout is not None:
            self._fanout.start()

    @property
    def vendors(self) -> Sequence[str]:
        """The vendors that are told of runs, by name."""
        return () if self._fanout is None else self._fanout.names

    async def delete_old(self, *, limit: int = BATCH) -> int:
        """Delete one batch of runs beyond ``retention`` or ``max_runs``, with their spans; how many there were."""
        values = self._settings
        kept = Retention(model=TraceRow, time="started_at", seconds=values.retention, rows=values.max_runs)
        return sum((await delete_old(self._database, [kept], limit=limit)).values())

    async def _stop(self) -> None:
        for run in list(self._active):
            run.end(status=Status.INTERRUPTED)
        try:
            await self.flush()
        finally:
            if self._fanout is not None:
                self._fanout.close()
            closing = [task for delivery in self._deliveries for task in delivery.close()]
            if closing:
                await asyncio.wait(closing)

    async def _check(self) -> str | None:
        troubles = [trouble for delivery in self._deliveries if (trouble := delivery.trouble)]
        if troubles:
            return f"runs cannot be written for now: {', '.join(troubles)}"
        untold = {} if self._fanout is None else self._fanout.troubles
        return (
            f"vendors are not told: {', '.join(f'{name}: {why}' for name, why in untold.items())}" if untold else None
        )

    def run(
        self,
        *,
        user_id: uuid.UUID,
        name: str,
        run_id: uuid.UUID | None = None,
        flow_id: uuid.UUID | None = None,
        session_id: str | None = None,
        inputs: Any = None,
        metadata: Mapping[str, Any] | None = None,
        context: TraceContext | None = None,
    ) -> Run:
        """A run, for ``async with``: it is recorded from the beginning of the block to its end.

        Args:
            user_id: The owner.
            name: What runs, for people.
            run_id: Its id; one is made where none is given.
            flow_id: The flow that runs; noted only if it is stored.
            session_id: The session that it runs in.
            inputs: What it is given: any value, recorded redacted and cut.
            metadata: What else is to be noted.
            context: What it goes on under, such as :meth:`context` gave elsewhere; None: under the current run or
                span, else under the current span of OpenTelemetry, else where the request or task came from.
        """
        run_id = run_id or new_id()
        if self._started and (self._deliveries or self._fanout):
            with self._guard:
                return RecordedRun(
                    self._recorder,
                    run_id,
                    user_id=user_id,
                    flow_id=flow_id,
                    session_id=session_id,
                    name=name,
                    inputs=inputs,
                    metadata=metadata,
                    context=context,
                )
        return Run(run_id, self._guard)

    def span(
        self,
        name: str,
        *,
        kind: SpanKind | str = SpanKind.CHAIN,
        inputs: Any = None,
        key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Span:
        """A step of the current run, for ``with``; outside any run, one that records nothing.

        The current run and step are those of this task or thread, and of the one that began it. The arguments are
        those of :meth:`Run.start_span`.
        """
        above = current.get()
        if above is None:
            return NO_SPAN
        return above.start_span(name, kind=kind, inputs=inputs, key=key, metadata=metadata)

    def context(self) -> TraceContext | None:
        """What a run that began now would go on under, to hand to :meth:`run` somewhere else; None: a new trace."""
        with self._guard:
            return current_context()
        return None

    async def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was recorded is written, and vendors are told.

        Args:
            timeout: Most seconds; None: ``flush_timeout``.

        Returns:
            Whether it was in time; False as well, and at once, where a vendor is left alone because it failed.
        """
        timeout = self._settings.flush_timeout if timeout is None else timeout
        fanout = () if self._fanout is None else (self._fanout.flush(timeout),)
        return all(await asyncio.gather(_flush(self._deliveries, timeout), *fanout))

    async def runs(
        self,
        user_id: uuid.UUID,
        *,
        flow_id: uuid.UUID | None = None,
        session_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TracePage:
        """The runs of a user, latest first, without inputs and outputs.

        Args:
            user_id: The owner.
            flow_id: Only those of this flow.
            session_id: Only those of this session.
            limit: Most runs of the page, between 1 and 200.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: The limit or the cursor is wrong.
        """
        await self._ready_to_read()
        return await self._reader.runs(user_id, flow_id=flow_id, session_id=session_id, limit=limit, cursor=cursor)

    async def runs_of_all(self, *, failed: bool = False, limit: int = 50, cursor: str | None = None) -> TracePage:
        """The runs of all users, as :meth:`runs`: for operators, which the caller has made sure of.

        Args:
            failed: Only those that ended with an error.
            limit: Most runs of the page, between 1 and 200.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: The limit or the cursor is wrong.
        """
        await self._ready_to_read()
        return await self._reader.runs_of_all(failed=failed, limit=limit, cursor=cursor)

    async def get(self, user_id: uuid.UUID, run_id: uuid.UUID) -> Trace:
        """One run.

        Raises:
            TraceNotFoundError: It is not there, or somebody else's.
        """
        await self._ready_to_read()
        return await self._reader.get(user_id, run_id)

    async def tree(self, user_id: uuid.UUID, run_id: uuid.UUID) -> TraceTree:
        """One run with its steps.

        Raises:
            TraceNotFoundError: It is not there, or somebody else's.
        """
        await self._ready_to_read()
        return await self._reader.tree(user_id, run_id)

    async def _ready_to_read(self) -> None:
        self._require_started()
        await _flush([each for each in self._deliveries if each.is_read_back], self._settings.read_timeout)

    def _active_ids(self) -> list[uuid.UUID]:
        return [run.id for run in list(self._active)]

    def _emit(self, record: Record) -> bool:
        """Offer a record to every exporter; whether any took it."""
        kept = self._fanout is not None and self._fanout.offer(record)
        for delivery in self._deliveries:
            kept |= delivery.offer(record)
        return kept


async def _flush(deliveries: Sequence[Delivery], timeout: float) -> bool:
    return all(await asyncio.gather(*(delivery.flush(timeout) for delivery in deliveries)))
