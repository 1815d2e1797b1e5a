"""The steps of a run as bars over time."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bedplate.services.tracing import SpanKind, SpanNode, Status, TokenUsage, Trace, TraceTree
from bedplate.wiring.http.dashboard.waterfall import waterfall

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def _span(name: str, begin: float, end: float | None, *children: SpanNode, status: Status = Status.OK) -> SpanNode:
    return SpanNode(
        id=uuid.uuid4(),
        key=None,
        name=name,
        kind=SpanKind.CHAIN,
        status=status,
        error=None,
        inputs=None,
        outputs=None,
        logs=[],
        metadata={},
        usage=TokenUsage(),
        started_at=BEGIN + timedelta(seconds=begin),
        ended_at=None if end is None else BEGIN + timedelta(seconds=end),
        children=children,
    )


def _tree(*spans: SpanNode, end: float | None, status: Status = Status.OK) -> TraceTree:
    trace: dict[str, Any] = dict.fromkeys(Trace.__struct_fields__)
    trace |= {"id": uuid.uuid4(), "user_id": uuid.uuid4(), "name": "a run", "status": status, "metadata": {}}
    trace |= {"usage": TokenUsage(), "started_at": BEGIN}
    trace["ended_at"] = None if end is None else BEGIN + timedelta(seconds=end)
    return TraceTree(trace=Trace(**trace), spans=spans)


def test_bars_are_where_their_steps_were_and_children_follow_their_parents() -> None:
    inner = _span("inner", 2, 3, _span("innermost", 2, 2.5))
    steps = waterfall(_tree(_span("first", 0, 1), _span("outer", 1, 9, inner), _span("last", 9, 10), end=10))
    assert [(bar.span.name, bar.depth, bar.x, bar.width) for bar in steps.bars] == [
        ("first", 0, 0, 100),
        ("outer", 0, 100, 800),
        ("inner", 1, 200, 100),
        ("innermost", 2, 200, 50),
        ("last", 0, 900, 100),
    ]
    assert steps.ms == 10_000
    assert list(steps.ticks) == [0, 2500, 5000, 7500, 10_000]


def test_a_step_that_took_no_time_is_seen_and_lies_within() -> None:
    [bar] = waterfall(_tree(_span("instant", 10, 10), end=10)).bars
    assert bar.width > 0
    assert bar.x + bar.width <= 1000


def test_what_runs_reaches_to_now() -> None:
    tree = _tree(_span("running", 1, None, status=Status.RUNNING), end=None, status=Status.RUNNING)
    [bar] = waterfall(tree).bars
    assert bar.x + bar.width == pytest.approx(1000, abs=0.2)
    assert bar.ms > 1000


def test_an_interrupted_run_ends_with_the_last_that_is_known() -> None:
    steps = waterfall(_tree(_span("done", 0, 4), _span("lost", 2, None), end=None, status=Status.INTERRUPTED))
    assert steps.ms == 4_000
    assert [bar.x + bar.width for bar in steps.bars] == [1000, 1000]


def test_the_version_changes_with_what_is_drawn_and_not_with_time() -> None:
    span = _span("a", 0, None, status=Status.RUNNING)
    tree = _tree(span, end=None, status=Status.RUNNING)
    assert waterfall(tree).version == waterfall(tree).version
    ended = msgspec.structs.replace(span, status=Status.OK)
    assert waterfall(_tree(ended, end=None, status=Status.RUNNING)).version != waterfall(tree).version


def test_a_run_of_no_steps_and_one_of_very_deep_ones() -> None:
    assert waterfall(_tree(end=0)).bars == []
    deep = _span("0", 0, 1)
    for number in range(1, 2_000):
        deep = _span(str(number), 0, 1, deep)
    bars = waterfall(_tree(deep, end=1)).bars
    many = waterfall(_tree(*(_span(str(number), 0, 1) for number in range(5_000)), end=1))
    assert len(many.bars) + many.left_out == 5_000
    assert len(many.bars) <= 3_000
    assert len(bars) == 2_000
    assert max(bar.depth for bar in bars) == 12
