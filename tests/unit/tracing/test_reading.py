"""Runs read back: lists, trees, owners, runs whose process died (TRACE-2)."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowRow, TraceRow, UserRow
from bedplate.services.errors import NotFoundError, UnavailableError
from bedplate.services.tracing import (
    Exporter,
    Record,
    SpanKind,
    SpanNode,
    Status,
    TokenUsage,
    TraceNotFoundError,
    TracingService,
)
from bedplate.services.tracing.tree import MAX_DEPTH, tree_of

MakeTracing = Callable[..., Awaitable[TracingService]]


async def record(tracing: TracingService, user: uuid.UUID, name: str, **details: object) -> uuid.UUID:
    async with tracing.run(user_id=user, name=name, **details) as run:  # type: ignore[arg-type]  # as the test has it
        tracing.span(f"step of {name}").end()
    return run.id


async def test_runs_are_listed_in_pages(tracing: TracingService, alice: uuid.UUID, flow: uuid.UUID) -> None:
    """TRACE-2: latest first, by cursor, by flow and by session; the list carries no inputs and outputs."""
    for number in range(7):
        await record(
            tracing, alice, f"r{number}", flow_id=flow if number % 2 else None, session_id=f"s{number % 3}", inputs="x"
        )
    names, cursor = [], None
    while True:
        page = await tracing.runs(alice, limit=3, cursor=cursor)
        names += [trace.name for trace in page.items]
        assert all(trace.inputs is None for trace in page.items)
        if (cursor := page.next_cursor) is None:
            break
    assert names == [f"r{number}" for number in range(6, -1, -1)]
    assert [trace.name for trace in (await tracing.runs(alice, flow_id=flow)).items] == ["r5", "r3", "r1"]
    assert [trace.name for trace in (await tracing.runs(alice, session_id="s0")).items] == ["r6", "r3", "r0"]
    assert (await tracing.runs(alice, flow_id=flow, session_id="s1")).items[0].name == "r1"
    assert (await tracing.runs(alice, flow_id=uuid.uuid4())).items == ()


async def test_runs_of_one_moment_are_all_listed(
    tracing: TracingService, database: DatabaseService, alice: uuid.UUID
) -> None:
    ids = {await record(tracing, alice, f"r{number}") for number in range(5)}
    async with database.transaction() as session:
        await session.exec(sa.update(TraceRow).values(started_at=datetime(2026, 1, 1, tzinfo=UTC)))
    seen, cursor = [], None
    while True:
        page = await tracing.runs(alice, limit=2, cursor=cursor)
        seen += [trace.id for trace in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == 5
    assert set(seen) == ids


async def test_another_users_run_does_not_exist(tracing: TracingService, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """ALL-4: neither in a list nor by id."""
    run_id = await record(tracing, alice, "hers")
    assert (await tracing.runs(bob)).items == ()
    for work in (tracing.get(bob, run_id), tracing.tree(bob, run_id), tracing.get(alice, uuid.uuid4())):
        with pytest.raises(TraceNotFoundError) as caught:
            await work
        assert isinstance(caught.value, NotFoundError)
        assert str(caught.value) == str(TraceNotFoundError())


async def test_a_run_cannot_be_written_over_by_another_user(
    tracing: TracingService, alice: uuid.UUID, bob: uuid.UUID, metric: Callable[[str], float]
) -> None:
    """ALL-4: an id that is taken by somebody else's run changes neither its row nor its steps."""
    run_id = await record(tracing, alice, "hers")
    await record(tracing, bob, "his", run_id=run_id)
    tree = await tracing.tree(alice, run_id)
    assert (tree.trace.name, [span.name for span in tree.spans]) == ("hers", ["step of hers"])
    assert (await tracing.runs(bob)).items == ()
    assert metric('bedplate_tracing_records_total{exporter="database",outcome="refused"}') == 2


async def test_a_run_of_an_unknown_flow_is_recorded(
    tracing: TracingService, database: DatabaseService, alice: uuid.UUID, flow: uuid.UUID
) -> None:
    """TRACE-2: of a flow that is not stored, or was deleted meanwhile."""
    unsaved = await record(tracing, alice, "unsaved", flow_id=uuid.uuid4())
    assert (await tracing.get(alice, unsaved)).flow_id is None
    async with tracing.run(user_id=alice, name="deleted", flow_id=flow) as run:
        assert (await tracing.get(alice, run.id)).flow_id == flow
        async with database.transaction() as session:
            await session.exec(sa.delete(FlowRow))
    trace = await tracing.get(alice, run.id)
    assert (trace.flow_id, trace.status) == (None, Status.OK)


async def test_runs_of_a_deleted_user_harm_no_other(
    tracing: TracingService, database: DatabaseService, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    async with tracing.run(user_id=bob, name="his"), tracing.run(user_id=alice, name="hers") as hers:
        await tracing.flush()
        async with database.transaction() as session:
            await session.exec(sa.delete(UserRow).where(sa.inspect(UserRow).columns.id == bob))
        tracing.span("step").end()
    assert (await tracing.get(alice, hers.id)).status is Status.OK
    assert (await tracing.runs(bob)).items == ()


async def test_a_run_whose_process_died_is_shown_as_interrupted(
    make_tracing: MakeTracing, database: DatabaseService, alice: uuid.UUID
) -> None:
    """TRACE-2: without a sign of life for ``interrupted_after`` seconds; never one that is going on here."""
    tracing = await make_tracing(interrupted_after=60)
    other = await make_tracing(interrupted_after=60)
    async with tracing.run(user_id=alice, name="r") as run:
        run.start_span("open")
        await tracing.flush()
        assert (await other.get(alice, run.id)).status is Status.RUNNING
        async with database.transaction() as session:
            await session.exec(sa.update(TraceRow).values(updated_at=datetime(2026, 1, 1, tzinfo=UTC)))
        assert (await tracing.get(alice, run.id)).status is Status.RUNNING
        tree = await other.tree(alice, run.id)
        assert (tree.trace.status, tree.spans[0].status) == (Status.INTERRUPTED, Status.INTERRUPTED)
        assert (await other.runs(alice)).items[0].status is Status.INTERRUPTED
    await tracing.flush()
    assert (await other.get(alice, run.id)).status is Status.OK


class Listener:
    """Takes records nowhere, and tells of signs of life."""

    name = "listener"
    is_read_back = False

    def __init__(self) -> None:
        self.touched: asyncio.Queue[list[uuid.UUID]] = asyncio.Queue()

    async def export(self, records: Sequence[Record]) -> int:
        return 0

    async def touch(self, run_ids: Sequence[uuid.UUID]) -> None:
        self.touched.put_nowait(list(run_ids))


async def test_runs_give_signs_of_life(
    make_tracing: MakeTracing, native: Exporter, database: DatabaseService, alice: uuid.UUID
) -> None:
    """TRACE-2: a run that lasts for hours is not taken for dead; one that has ended is left alone."""
    listener = Listener()
    tracing = await make_tracing([listener], heartbeat=0.01)
    async with tracing.run(user_id=alice, name="r") as run:
        assert await listener.touched.get() == [run.id]
        assert await listener.touched.get() == [run.id]

    stored = await make_tracing()
    async with stored.run(user_id=alice, name="lasting") as lasting:
        ended = await record(stored, alice, "ended")
        await stored.flush()
        old = datetime(2026, 1, 1, tzinfo=UTC)
        async with database.transaction() as session:
            await session.exec(sa.update(TraceRow).values(updated_at=old))
        await native.touch([lasting.id, ended])
        async with database.session() as session:
            signs = dict((await session.exec(sa.select(TraceRow.id, TraceRow.updated_at))).all())  # type: ignore[call-overload]
    assert signs[lasting.id] > old
    assert signs[ended] == old


async def test_a_stopping_process_ends_its_runs(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-1: what was going on at the stop is written as interrupted, and later calls harm nothing."""
    tracing = await make_tracing()
    async with tracing.run(user_id=alice, name="r") as run:
        span = run.start_span("open")
        await tracing.stop()
        span.log("late")
        span.end()
        run.start_span("late").end()
    again = await make_tracing()
    tree = await again.tree(alice, run.id)
    assert (tree.trace.status, [node.status for node in tree.spans]) == (Status.INTERRUPTED, [Status.INTERRUPTED])


async def test_a_restart_keeps_what_was_recorded(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    first = await make_tracing()
    run_id = await record(first, alice, "kept")
    await first.stop()
    await first.start()
    assert (await first.get(alice, run_id)).name == "kept"
    assert await record(first, alice, "next")
    assert len((await first.runs(alice)).items) == 2


async def test_reading_needs_a_started_service(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    tracing = await make_tracing()
    await tracing.stop()
    for work in (tracing.runs(alice), tracing.get(alice, alice), tracing.tree(alice, alice)):
        with pytest.raises(UnavailableError, match="not started"):
            await work
    async with tracing.run(user_id=alice, name="unseen") as run:
        assert not run.recording


def node(number: int) -> SpanNode:
    return SpanNode(
        id=uuid.UUID(int=number),
        key=None,
        name=str(number),
        kind=SpanKind.CHAIN,
        status=Status.OK,
        error=None,
        inputs=None,
        outputs=None,
        logs=[],
        metadata={},
        usage=TokenUsage(),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        ended_at=None,
    )


@given(st.lists(st.integers(0, 40), max_size=40))
def test_a_tree_has_every_span_once_in_order(parents: list[int]) -> None:
    """TRACE-2: also spans whose parent was dropped, or is not in the list, or is themselves."""
    spans = [(node(number), uuid.UUID(int=parent)) for number, parent in enumerate(parents)]
    walked: list[str] = []

    def walk(nodes: tuple[SpanNode, ...], parent: int | None) -> None:
        numbers = [int(each.name) for each in nodes]
        assert numbers == sorted(numbers)
        for each in nodes:
            if parent is not None:
                assert parents[int(each.name)] == parent
            walked.append(each.name)
            walk(each.children, int(each.name))

    walk(tree_of(spans), None)
    assert sorted(walked) == sorted(str(number) for number in range(len(parents)))


def test_a_tree_is_not_too_deep_to_encode() -> None:
    spans = [(node(number), uuid.UUID(int=number - 1) if number else None) for number in range(5000)]
    depth, total, level = 0, 0, tree_of(spans)
    while level:
        depth, total = depth + 1, total + len(level)
        level = tuple(child for each in level for child in each.children)
    assert depth == MAX_DEPTH
    assert total == 5000
