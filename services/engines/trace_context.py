"""W3C Trace Context: where a trace comes from and goes on, read from and written to headers.

Beside the standard's ids, the member ``bedplate`` of ``tracestate`` names the last span upstream that Bedplate itself
recorded: vendors that see no other spans hang what follows under that one.

See https://www.w3.org/TR/trace-context-2/.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

import msgspec

__all__ = ["MEMBER", "TraceContext", "active", "continuing", "current_context", "current_headers", "incoming"]

MEMBER: Final = "bedplate"
"""Bedplate's member of ``tracestate``."""

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_OURS: Final = re.compile(rf"(?:^|,)[ \t]*{MEMBER}=([0-9a-f]{{16}})[ \t]*(?:,|$)")
_MAX_TRACESTATE: Final = 512


class TraceContext(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a trace, under which something goes on.

    Attributes:
        trace_id: The trace, 128 bits, never 0.
        span_id: The span to go on under, 64 bits, never 0.
        sampled: Whether the caller records the trace.
        recorded_id: The last span upstream that Bedplate recorded; None if there is none.
    """

    trace_id: int
    span_id: int
    sampled: bool = True
    recorded_id: int | None = None

    @classmethod
    def parse(cls, traceparent: str, tracestate: str | None = None) -> "TraceContext | None":
        """Read the two headers; None if ``traceparent`` is not valid, and so says nothing."""
        found = _TRACEPARENT.fullmatch(traceparent.strip())
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
            return None
        ours = _OURS.search(tracestate) if tracestate and len(tracestate) <= _MAX_TRACESTATE else None
        return cls(
            trace_id=int(trace_id, 16),
            span_id=int(span_id, 16),
            sampled=bool(int(flags, 16) & 1),
            recorded_id=int(ours[1], 16) or None if ours else None,
        )

    @property
    def traceparent(self) -> str:
        """The header ``traceparent``."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.sampled:02x}"

    @property
    def tracestate(self) -> str | None:
        """The header ``tracestate``; None: there is nothing to say in it."""
        return None if self.recorded_id is None else f"{MEMBER}={self.recorded_id:016x}"

    @property
    def headers(self) -> dict[str, str]:
        """Both headers."""
        state = self.tracestate
        return {"traceparent": self.traceparent} | ({} if state is None else {"tracestate": state})


class Carrier(Protocol):
    """A run or span, as far as this module knows one."""

    @property
    def trace_context(self) -> TraceContext | None:
        """What goes on under it; None if it is not recorded."""
        ...


active: ContextVar[Carrier | None] = ContextVar("bedplate_tracing", default=None)
"""The innermost run or span of this task or thread."""

incoming: ContextVar[TraceContext | None] = ContextVar("bedplate_trace_context", default=None)
"""Where the request or task that this is part of came from."""


def current_context() -> TraceContext | None:
    """What something that begins now goes on under.

    The current run or span; else the current span of OpenTelemetry, such as that of the request; else where the
    request or task came from.
    """
    above = active.get()
    if above is not None and (context := above.trace_context) is not None:
        return context
    context = incoming.get()
    # Where nobody has imported OpenTelemetry, it has no current span.
    opentelemetry = sys.modules.get("opentelemetry.trace")
    span = opentelemetry.get_current_span().get_span_context() if opentelemetry is not None else None
    if span is None or not span.is_valid:
        return context
    if context is not None and context.trace_id == span.trace_id:
        return msgspec.structs.replace(context, span_id=span.span_id)
    return TraceContext(trace_id=span.trace_id, span_id=span.span_id, sampled=span.trace_flags.sampled)


def current_headers() -> Mapping[str, str]:
    """The headers for a call to another system; empty where there is no trace."""
    context = current_context()
    return {} if context is None else context.headers


@contextmanager
def continuing(context: TraceContext | None) -> Iterator[None]:
    """Go on with a trace that came from elsewhere, for the length of a block; None: with none."""
    outer = active.set(None)
    token = incoming.set(context)
    try:
        yield
    finally:
        incoming.reset(token)
        active.reset(outer)
