"""Steps of runs that are recorded."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bedplate.services.database.models import new_id, utc_now
from bedplate.services.engines.trace_context import TraceContext
from bedplate.services.tracing.exporter import SpanRecord
from bedplate.services.tracing.ids import span_id_of
from bedplate.services.tracing.models import SpanKind, Status, TokenUsage
from bedplate.services.tracing.recorder import Timed, context_under, error_of, status_of
from bedplate.services.tracing.spans import Span, current

if TYPE_CHECKING:
    from bedplate.services.tracing.recorded_run import RecordedRun

__all__ = ["RecordedSpan"]


class RecordedSpan(Timed, Span):
    """A step that is recorded when it begins and when it ends."""

    __slots__ = ("_inputs", "_logs", "_metadata", "_missed", "_room", "id", "key", "kind", "name", "parent_id", "run")

    def __init__(self, run: "RecordedRun", parent_id: uuid.UUID | None, name: str, kind: SpanKind | str) -> None:
        super().__init__(run.clock)
        self.run = run
        self.id = new_id()
        self.parent_id = parent_id
        self.name = name
        self.kind = run.recorder.content.kind(kind)
        self.key: str | None = None
        self._inputs = run.recorder.content.value(None)
        self._metadata: dict[str, Any] = {}
        self._logs: list[dict[str, Any]] = []
        self._missed = 0
        self._room = run.recorder.settings.max_value_bytes

    def begin(self, inputs: Any, key: str | None, metadata: Mapping[str, Any] | None) -> None:
        """Take in what is known at the beginning, and record it."""
        self.key = self.run.recorder.content.optional_name(key)
        self._inputs = self.run.recorder.content.value(inputs)
        self._note(metadata)
        self.run.recorder.emit(self._record(None, None, TokenUsage(), 0))

    @property
    def recording(self) -> bool:
        """See :class:`~bedplate.services.tracing.spans.Span`."""
        return not self.ended

    @property
    def trace_context(self) -> TraceContext:
        """See :class:`~bedplate.services.tracing.spans.Span`."""
        return context_under(self.run.info, span_id_of(self.id))

    def log(self, message: str, *, level: str = "info", data: Any = None) -> None:
        """See :class:`~bedplate.services.tracing.spans.Span`."""
        with self.run.recorder.guard:
            if len(self._logs) >= self.run.recorder.settings.max_logs_per_span or self._room <= 0 or self.ended:
                self._missed += 1
                return
            entry = {"message": message, "level": level} | ({} if data is None else {"data": data})
            measured = self.run.recorder.content.fields(entry, size=self._room)
            with self.run.lock:
                self._room -= measured.size
                self._logs.append({"time": utc_now().isoformat(), **measured.value})

    def set(self, **metadata: Any) -> None:
        """See :class:`~bedplate.services.tracing.spans.Span`."""
        with self.run.recorder.guard:
            self._note(metadata)

    def end(
        self,
        *,
        outputs: Any = None,
        error: BaseException | str | None = None,
        usage: Any = None,
        status: Status | None = None,
    ) -> None:
        """See :class:`~bedplate.services.tracing.spans.Span`."""
        with self.run.recorder.guard:
            if not self.run.closes(self):
                return
            content = self.run.recorder.content
            self.error = content.error(error)
            self.status = content.status(status, error)
            counted, given = content.usage(usage), content.value(outputs)
            self.run.add(counted)
            self.run.recorder.emit(self._record(self.clock.now(), given.value, counted, given.size))

    def start_span(
        self,
        name: str,
        *,
        kind: SpanKind | str = SpanKind.CHAIN,
        inputs: Any = None,
        key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Span:
        """See :class:`~bedplate.services.tracing.spans.Span`."""
        return self.run.start_span(name, kind=kind, inputs=inputs, parent=self, key=key, metadata=metadata)

    def __enter__(self) -> Span:
        with self.run.recorder.guard:
            self.token = current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self.run.recorder.guard:
            self.leave()
        if not self.ended:
            self.end(error=error_of(error), status=status_of(error))

    def mark_ended(self) -> bool:
        """Whether this ends it; the run's lock is held."""
        first, self.ended = not self.ended, True
        return first

    def _note(self, metadata: Mapping[str, Any] | None) -> None:
        if metadata:
            measured = self.run.recorder.content.fields(metadata, size=self._room)
            with self.run.lock:
                self._room -= measured.size
                self._metadata |= measured.value

    def _record(self, ended_at: datetime | None, outputs: Any, usage: TokenUsage, size: int) -> SpanRecord:
        with self.run.lock:
            logs, metadata = list(self._logs), dict(self._metadata)
        if self._missed:
            logs.append({"level": "warning", "message": f"[cut: {self._missed} more log entries]"})
        return SpanRecord(
            id=self.id,
            user_id=self.run.user_id,
            run_id=self.run.id,
            parent_id=self.parent_id,
            key=self.key,
            name=self.name,
            kind=self.kind,
            status=self.status,
            error=self.error,
            inputs=self._inputs.value,
            outputs=outputs,
            logs=logs,
            metadata=metadata,
            usage=usage,
            started_at=self.started_at,
            ended_at=ended_at,
            size=self._inputs.size + size + self.run.recorder.settings.max_value_bytes - self._room,
            run=self.run.info,
        )
