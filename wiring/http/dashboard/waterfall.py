"""The steps of a run as bars over time."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from bedplate.services.tracing import SpanNode, TraceTree

__all__ = ["Bar", "Waterfall", "waterfall"]

_DEEPEST = 12
_WIDTH = 1000
_NARROWEST = 2.0
_TICKS = 4
_MOST = 3_000
"""Bars that a page has at most."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One step.

    Attributes:
        span: The step.
        depth: How far inside others it is.
        x: Where its bar begins, in thousandths of the whole.
        width: How long it is.
        ms: How long the step took, or has taken so far.
    """

    span: SpanNode
    depth: int
    x: float
    width: float
    ms: float


class Waterfall(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of a run.

    Attributes:
        bars: In the order in which they are drawn: each step before those inside it.
        begun: When the first of them did.
        ms: What the whole width stands for.
        ticks: Moments on the way, in milliseconds.
        left_out: How many more steps there are.
        version: Tells it from what it was before.
    """

    bars: Sequence[Bar]
    begun: datetime
    ms: float
    ticks: Sequence[float]
    left_out: int
    version: str


def waterfall(tree: TraceTree) -> Waterfall:
    """Lay out the steps of a run, from its begin to its end, or to now."""
    spans = list(_flat(tree.spans, 0))
    begin = min([tree.trace.started_at, *(span.started_at for span, _ in spans)])
    now = datetime.now(UTC)
    end = tree.trace.ended_at or now
    if tree.trace.status != "running":
        known = [span.ended_at for span, _ in spans if span.ended_at]
        end = max([tree.trace.ended_at or begin, *known])
    whole = max(_ms(begin, end), 1e-3)
    bars = []
    for span, depth in spans[:_MOST]:
        taken = max(_ms(span.started_at, span.ended_at or end), 0.0)
        x = min(_ms(begin, span.started_at) / whole * _WIDTH, _WIDTH - _NARROWEST)
        width = min(max(taken / whole * _WIDTH, _NARROWEST), _WIDTH - x)
        bars.append(Bar(span=span, depth=min(depth, _DEEPEST), x=round(x, 1), width=round(width, 1), ms=taken))
    ticks = [whole * tick / _TICKS for tick in range(_TICKS + 1)]
    left_out = len(spans) - len(bars)
    return Waterfall(bars=bars, begun=begin, ms=whole, ticks=ticks, left_out=left_out, version=_version(tree, spans))


def _flat(spans: Sequence[SpanNode], depth: int) -> Iterator[tuple[SpanNode, int]]:
    stack = [(span, depth) for span in reversed(spans)]
    while stack:
        span, level = stack.pop()
        yield span, level
        stack += [(child, level + 1) for child in reversed(span.children)]


def _ms(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1e3


def _version(tree: TraceTree, spans: Sequence[tuple[SpanNode, int]]) -> str:
    digest = hashlib.sha256(str(tree.trace.status).encode())
    for span, _ in spans:
        digest.update(f"{span.id}{span.status}{len(span.logs)}".encode())
    return digest.hexdigest()[:16]
