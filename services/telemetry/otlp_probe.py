"""A probe that traces what it counts."""

import time
from contextvars import Token
from time import perf_counter
from typing import NamedTuple

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation import set_span_in_context
from prometheus_client.samples import Exemplar

from bedplate.services.telemetry.operations import CANCELLED, Kind, Probe, outcome_of

__all__ = ["TracedProbe", "Tracers"]


class Tracers:
    """Where probes get their tracer from: another one after each start.

    Attributes:
        tracer: The tracer of now.
    """

    def __init__(self) -> None:
        self.tracer: Tracer = NoOpTracer()


class _Call(NamedTuple):
    begun: float
    span: Span
    token: Token[Context] | None


class TracedProbe(Probe):
    """Opens a span for each call that waits, and remembers one trace for each bucket of durations.

    A stream is not made the current span: what its reader does between two items is no part of it. A plain function
    neither waits nor asks another system, and has no span of its own.
    """

    __slots__ = ("_exemplars", "_kind", "_name", "_tracers")

    def __init__(self, service: str, operation: str, kind: Kind, tracers: Tracers) -> None:
        super().__init__(service, operation)
        self._kind = kind
        self._name = f"{service}.{operation}"
        self._tracers = tracers
        self._exemplars: dict[int, Exemplar] = {}

    def enter(self) -> _Call:
        """Begin a call."""
        if self._kind == "call":
            return _Call(perf_counter(), get_current_span(), None)
        span = self._tracers.tracer.start_span(
            self._name,
            kind=SpanKind.INTERNAL,
            attributes={"bedplate.service": self.service, "bedplate.operation": self.operation},
        )
        token = None if self._kind == "stream" else attach(set_span_in_context(span))
        return _Call(perf_counter(), span, token)

    def leave(self, call: _Call, error: BaseException | None) -> None:
        """End a call."""
        seconds = perf_counter() - call.begun
        number = self._count(seconds, error)
        if call.token is not None:
            detach(call.token)
        span = call.span
        if self._kind != "call":
            if error is not None and (outcome := outcome_of(error)) != CANCELLED:
                # Its text may be anything: the code says what it was.
                span.set_attribute("error.type", outcome if outcome != "error" else type(error).__qualname__)
                span.set_status(Status(StatusCode.ERROR))
            span.end()
        context = span.get_span_context()
        if context.trace_flags.sampled:
            ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
            self._exemplars[number] = Exemplar(ids, seconds, time.time())

    def exemplars(self) -> dict[int, Exemplar]:
        """By the number of the bucket, its latest call."""
        return dict(self._exemplars)
