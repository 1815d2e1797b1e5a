"""The tracing service: what runs did, step by step, without their secrets."""

from bedplate.services.tracing.errors import TraceNotFoundError
from bedplate.services.tracing.exporter import Exporter, Record, RunInfo, RunRecord, SpanRecord
from bedplate.services.tracing.models import SpanKind, SpanNode, Status, TokenUsage, Trace, TracePage, TraceTree
from bedplate.services.tracing.service import TracingService
from bedplate.services.tracing.spans import NO_SPAN, Run, Span

__all__ = [
    "NO_SPAN",
    "Exporter",
    "Record",
    "Run",
    "RunInfo",
    "RunRecord",
    "Span",
    "SpanKind",
    "SpanNode",
    "SpanRecord",
    "Status",
    "TokenUsage",
    "Trace",
    "TraceNotFoundError",
    "TracePage",
    "TraceTree",
    "TracingService",
]
