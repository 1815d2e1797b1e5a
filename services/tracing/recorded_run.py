"""Runs that are recorded."""

import threading
import uuid
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from bedplate.services.engines.trace_context import TraceContext, current_context
from bedplate.services.tracing.exporter import RunInfo, RunRecord
from bedplate.services.tracing.ids import is_sampled, span_id_of, trace_id_of
from bedplate.services.tracing.models import SpanKind, Status, TokenUsage
from bedplate.services.tracing.recorded_span import RecordedSpan
from bedplate.services.tracing.recorder import Clock, Recorder, Timed, context_under, error_of, status_of
from bedplate.services.tracing.spans import NO_SPAN, Run, Span, current

__all__ = ["RecordedRun"]


class RecordedRun(Timed, Run):
    """A run that is recorded when its block begins and when it ends.

    Attributes:
        lock: Guards what its spans change from several threads.
        info: What its records have in common.
    """

    def __init__(
        self,
        recorder: Recorder,
        run_id: uuid.UUID,
        *,
        user_id: uuid.UUID,
        flow_id: uuid.UUID | None,
        session_id: str | None,
        name: str,
        inputs: Any,
        metadata: Mapping[str, Any] | None,
        context: TraceContext | None = None,
    ) -> None:
        for given in (run_id, user_id, *((flow_id,) if flow_id else ())):
            if not isinstance(given, uuid.UUID):
                raise TypeError("ids of runs, users and flows are UUIDs")
        Timed.__init__(self, Clock())
        Run.__init__(self, run_id, recorder.guard)
        self.recorder = recorder
        self.user_id = user_id
        self.lock = threading.RLock()
        context = current_context() if context is None else context
        trace_id = trace_id_of(run_id) if context is None else context.trace_id
        self.info = RunInfo(
            id=run_id,
            user_id=user_id,
            flow_id=flow_id,
            session_id=recorder.content.optional_name(session_id),
            name=recorder.content.name(name),
            trace_id=trace_id,
            span_id=span_id_of(run_id),
            upstream=context,
            sampled=(context is None or context.sampled) and is_sampled(trace_id, recorder.settings.vendor_sample_rate),
        )
        self._inputs = recorder.content.value(inputs)
        self._metadata = recorder.content.fields(metadata)
        self._usage = TokenUsage()
        self._open: dict[uuid.UUID, RecordedSpan] = {}
        self._begun_spans = 0
        self._kept = False

    @property
    def recording(self) -> bool:
        """See :class:`~bedplate.services.tracing.spans.Run`."""
        return self._kept and not self.ended

    @property
    def trace_context(self) -> TraceContext:
        """See :class:`~bedplate.services.tracing.spans.Run`."""
        return context_under(self.info, self.info.span_id)

    def start_span(
        self,
        name: str,
        *,
        kind: SpanKind | str = SpanKind.CHAIN,
        inputs: Any = None,
        parent: Span | None = None,
        key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Span:
        """See :class:`~bedplate.services.tracing.spans.Run`."""
        with self.recorder.guard:
            if not self.recording or not self._has_room():
                return NO_SPAN
            above = parent if parent is not None else current.get()
            parent_id = above.id if isinstance(above, RecordedSpan) and above.run is self else None
            span = RecordedSpan(self, parent_id, self.recorder.content.name(name), kind)
            span.begin(inputs, key, metadata)
            with self.lock:
                self._open[span.id] = span
            return span
        return NO_SPAN

    def span_of(self, key: str) -> Span:
        """See :class:`~bedplate.services.tracing.spans.Run`."""
        with self.lock:
            return next((span for span in reversed(self._open.values()) if span.key == key), NO_SPAN)

    def set(self, **metadata: Any) -> None:
        """See :class:`~bedplate.services.tracing.spans.Run`."""
        with self.recorder.guard:
            added = self.recorder.content.fields({**self._metadata.value, **metadata})
            with self.lock:
                self._metadata = added

    def end(
        self, *, outputs: Any = None, error: BaseException | str | None = None, status: Status | None = None
    ) -> None:
        """See :class:`~bedplate.services.tracing.spans.Run`."""
        with self.recorder.guard:
            with self.lock:
                if self.ended:
                    return
                self.ended = True
                left = list(self._open.values())
            self.recorder.active.discard(self)
            self.error = self.recorder.content.error(error)
            self.status = self.recorder.content.status(status, error)
            for span in left:
                span.end(status=Status.CANCELLED if self.status is Status.CANCELLED else Status.INTERRUPTED)
            given = self.recorder.content.value(outputs)
            self.recorder.emit(self._record(self.clock.now(), given.value, given.size))

    async def __aenter__(self) -> Run:
        await Run.__aenter__(self)
        with self.recorder.guard:
            self._kept = self.recorder.emit(self._record(None, None, 0))
            self.recorder.active.add(self)
            self.token = current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.recorder.guard:
            self.leave()
        self.end(error=error_of(error), status=status_of(error))
        await Run.__aexit__(self, kind, error, traceback)

    def closes(self, span: RecordedSpan) -> bool:
        """Take note that a span ends; whether it had not before."""
        with self.lock:
            self._open.pop(span.id, None)
            return span.mark_ended()

    def add(self, usage: TokenUsage) -> None:
        """Add the tokens of a span."""
        if not usage.input_tokens and not usage.output_tokens:
            return
        self.recorder.tokens.add(usage.input_tokens, direction="input")
        self.recorder.tokens.add(usage.output_tokens, direction="output")
        with self.lock:
            self._usage = TokenUsage(
                input_tokens=self._usage.input_tokens + usage.input_tokens,
                output_tokens=self._usage.output_tokens + usage.output_tokens,
            )

    def _has_room(self) -> bool:
        with self.lock:
            self._begun_spans += 1
            if self._begun_spans <= self.recorder.settings.max_spans_per_run:
                return True
        self.recorder.cut.add(1)
        return False

    def _record(self, ended_at: datetime | None, outputs: Any, size: int) -> RunRecord:
        metadata = dict(self._metadata.value)
        if (missed := self._begun_spans - self.recorder.settings.max_spans_per_run) > 0:
            metadata["[cut]"] = f"{missed} more spans"
        return RunRecord(
            id=self.id,
            user_id=self.user_id,
            flow_id=self.info.flow_id,
            session_id=self.info.session_id,
            name=self.info.name,
            status=self.status,
            error=self.error,
            inputs=self._inputs.value,
            outputs=outputs,
            metadata=metadata,
            usage=self._usage,
            started_at=self.started_at,
            ended_at=ended_at,
            size=self._inputs.size + self._metadata.size + size,
            run=self.info,
        )
