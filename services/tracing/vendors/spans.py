"""Spans of OpenTelemetry, made of what was recorded.

Each vendor has a tracer provider of its own, which nobody else knows. No span has a parent but the one that its record
names: what OpenTelemetry takes for the current span, here and in any other backend, is never looked at.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from bedplate import __version__
from bedplate.services.tracing.exporter import SpanRecord
from bedplate.services.tracing.ids import span_id_of
from bedplate.services.tracing.models import SpanKind as Kind
from bedplate.services.tracing.models import Status as Ended
from bedplate.services.tracing.vendors.conventions import SCHEMA_URL, error_type
from bedplate.services.tracing.vendors.step import Step
from bedplate.services.tracing.vendors.texts import json_of
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["SpanMaker", "resource_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CLIENT: Final = frozenset({Kind.LLM, Kind.EMBEDDING})
_LIMITS: Final = SpanLimits(max_span_attributes=512, max_events=1_024)


def resource_of(service_name: str) -> Resource:
    """What all spans say of the process, with what ``OTEL_RESOURCE_ATTRIBUTES`` adds.

    Made once, and not in the threads of vendors: OpenTelemetry looks for its detectors among all that is installed.
    """
    return Resource.create({SERVICE_NAME: service_name, SERVICE_VERSION: __version__})


class SpanMaker:
    """Makes the spans of one vendor.

    Args:
        vendor: What it calls things.
        destination: What it wants in the resource.
        resource: What they say of the process.
        unmade: Told of each span that cannot be made.
    """

    def __init__(
        self, vendor: Vendor, destination: Destination, resource: Resource, unmade: Callable[[Exception], None]
    ) -> None:
        self._unmade = unmade
        self._vendor = vendor
        # Whether the parents of runs are told of: others see spans of Bedplate alone.
        self._sees_all = vendor.name == "otlp"
        self._ids = _GivenIds()
        self._ended = _Ended()
        self.provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource.merge(Resource(dict(destination.resource))),
            id_generator=self._ids,
            span_limits=_LIMITS,
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(self._ended)
        self._tracer: Tracer = self.provider.get_tracer("bedplate.tracing", __version__, schema_url=SCHEMA_URL)

    def spans(self, steps: Sequence[Step]) -> list[ReadableSpan]:
        """Make the spans of these steps; one that cannot be made is left out, and told of."""
        for step in steps:
            try:
                self._make(step)
            except Exception as error:
                self._unmade(error)
        return self._ended.take()

    def _make(self, step: Step) -> None:
        record = step.record
        self._ids.trace_id, self._ids.span_id = step.run.trace_id, _span_id(step)
        span = self._tracer.start_span(
            record.name,
            context=self._parent(step),
            kind=SpanKind.CLIENT if step.kind in _CLIENT else SpanKind.INTERNAL,
            attributes=self._vendor.attributes(step),
            start_time=_nanoseconds(record.started_at),
        )
        ended = _nanoseconds(record.ended_at or record.started_at)
        if step.failed:
            text = record.error or record.status.value
            span.set_status(Status(StatusCode.ERROR, text))
            span.add_event(
                "exception",
                {"exception.type": error_type(step) or "", "exception.message": _message(text)},
                timestamp=ended,
            )
        elif record.status is Ended.OK:
            span.set_status(Status(StatusCode.OK))
        for time, attributes in _logs(step, ended):
            span.add_event("log", attributes, timestamp=time)
        span.end(end_time=ended)

    def _parent(self, step: Step) -> Context:
        run = step.run
        if isinstance(step.record, SpanRecord):
            above = step.record.parent_id
            parent: int | None = run.span_id if above is None else span_id_of(above)
        else:
            upstream = run.upstream
            parent = None
            if upstream is not None:
                parent = upstream.span_id if self._sees_all else upstream.recorded_id
        return Context() if parent is None else _context(run.trace_id, parent, is_remote=step.is_root)


def _context(trace_id: int, span_id: int, *, is_remote: bool) -> Context:
    context = SpanContext(trace_id, span_id, is_remote=is_remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(context), Context())


def _span_id(step: Step) -> int:
    return step.run.span_id if step.is_root else span_id_of(step.record.id)


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1_000


def _message(text: str) -> str:
    kind, colon, message = text.partition(": ")
    return message if colon and kind.isidentifier() else text


def _logs(step: Step, ended: int) -> Sequence[tuple[int, dict[str, Any]]]:
    if not step.content or not isinstance(step.record, SpanRecord):
        return ()
    return [(_time(entry, ended), _event(entry)) for entry in step.record.logs]


def _time(entry: dict[str, Any], otherwise: int) -> int:
    try:
        return _nanoseconds(datetime.fromisoformat(entry["time"]))
    except (KeyError, TypeError, ValueError):
        return otherwise


def _event(entry: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {name: str(entry[name]) for name in ("level", "message") if name in entry}
    if "data" in entry:
        told["data"] = json_of(entry["data"])
    return told


class _GivenIds(IdGenerator):
    """Gives the ids that were set before; used by one thread."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


class _Ended(SpanProcessor):
    """Gathers the spans that ended; used by one thread."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []
        self._lock = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        with self._lock:
            spans, self._spans = self._spans, []
            return spans
