"""Tracing that fails, is flooded, or is stopped: what is traced never notices (TRACE-1)."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.errors import UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.tracing import Exporter, Record, RunRecord, SpanRecord, Status, TracingService
from bedplate.services.tracing.buffer import Buffer, Put

MakeTracing = Callable[..., Awaitable[TracingService]]
Metric = Callable[[str], float]


def outcome(name: str, exporter: str = "database") -> str:
    return f'bedplate_tracing_records_total{{exporter="{exporter}",outcome="{name}"}}'


class Failing:
    """An exporter that fails as it is told to, and keeps what it takes."""

    name = "failing"
    is_read_back = False

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.taken: list[Record] = []
        self.poison: str | None = None
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()

    async def export(self, records: Sequence[Record]) -> int:
        self.calls += 1
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        if any(record.name == self.poison for record in records):
            raise ValueError("cannot be taken")
        self.taken += records
        return 0

    async def touch(self, run_ids: Sequence[uuid.UUID]) -> None:
        raise ValueError("touch fails always")


class Hostile:
    """An object that fights back wherever it is touched."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __str__(self) -> str:
        raise RuntimeError("hostile")

    __repr__ = __str__


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("hostile")


async def test_hostile_values_never_reach_the_flow(tracing: TracingService, alice: uuid.UUID, metric: Metric) -> None:
    """TRACE-1: unserialisable, cyclic and huge values, errors that cannot be read, arguments of the wrong type."""
    bad: Any = Hostile()
    cyclic: dict[str, Any] = {}
    cyclic["self"] = cyclic
    async with tracing.run(user_id=alice, name="r", inputs=bad, metadata={"m": bad}) as run:
        with pytest.raises(HostileError), tracing.span("s", inputs=cyclic, metadata=bad) as span:
            span.log(bad, data=bad)
            span.set(a=bad)
            raise HostileError
        run.start_span(bad, kind=bad, key=bad, parent=bad).end(outputs=bad, error=bad, usage=bad, status=bad)
        run.start_span("t").end(outputs=threading.Lock(), usage={"input_tokens": -5, "output_tokens": "many"})
        run.start_span("u").end(usage={"input_tokens": 2**80})
        run.set(a=bad)
        run.end(outputs=cyclic, error=bad)
    assert run.recording is False
    tree = await tracing.tree(alice, run.id)
    assert {"s", "t", "u"} <= {span.name for span in tree.spans}
    assert tree.spans[0].error == "HostileError: [unreadable]"
    assert tree.trace.usage.input_tokens == 2**31 - 1
    assert metric("bedplate_tracing_failures_total") > 0
    assert not tracing.run(user_id=alice, name=bad).recording
    async with tracing.run(user_id=bad, name="r", run_id=bad):
        tracing.span("x").end()


async def test_a_database_that_is_down_loses_nothing_while_there_is_room(
    make_tracing: MakeTracing, database: DatabaseService, alice: uuid.UUID, metric: Metric
) -> None:
    """TRACE-1: runs go on; what they did is written when the database is back."""
    tracing = await make_tracing(read_timeout=0.01)
    await database.stop()
    async with tracing.run(user_id=alice, name="r") as run:
        with tracing.span("s"):
            assert not await tracing.flush(0.05)
            health = await tracing.health()
            assert health.status is HealthStatus.DEGRADED
            assert "cannot be written" in str(health.reason)
    await database.start()
    assert await tracing.flush()
    tree = await tracing.tree(alice, run.id)
    assert (tree.trace.status, len(tree.spans)) == (Status.OK, 1)
    assert metric(outcome("dropped")) == metric(outcome("failed")) == 0
    assert (await tracing.health()).status is HealthStatus.UP


async def test_a_stop_with_the_database_down_ends_in_time_and_counts_what_is_lost(
    make_tracing: MakeTracing, alice: uuid.UUID, metric: Metric
) -> None:
    """TRACE-1: flush at stop has a deadline; what could not be written is counted."""
    exporter = Failing(*(UnavailableError("down") for _ in range(10_000)))
    tracing = await make_tracing([exporter], flush_timeout=0.05)
    async with tracing.run(user_id=alice, name="r"):
        for _ in range(4):
            tracing.span("s").end()
    await tracing.stop()
    assert metric(outcome("dropped", "failing")) == 5
    assert metric('bedplate_tracing_waiting{exporter="failing"}') == 0
    async with tracing.run(user_id=alice, name="r"):
        tracing.span("s").end()
    assert not exporter.taken


async def test_what_waits_is_written_at_the_stop(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-1: the last spans of a run are not lost when the process stops right after it."""
    tracing = await make_tracing(flush_interval=3600, batch_size=7)
    async with tracing.run(user_id=alice, name="r") as run:
        for _ in range(100):
            tracing.span("s").end()
    await tracing.stop()
    again = await make_tracing()
    assert len((await again.tree(alice, run.id)).spans) == 100


async def test_what_an_exporter_cannot_take_stands_alone(
    make_tracing: MakeTracing, alice: uuid.UUID, metric: Metric
) -> None:
    """TRACE-1: one bad record costs no other."""
    exporter = Failing()
    exporter.poison = "poison"
    tracing = await make_tracing([exporter], flush_interval=3600)
    async with tracing.run(user_id=alice, name="r") as run:
        for number in range(20):
            run.start_span("poison" if number == 7 else f"s{number}").end()
    await tracing.flush()
    assert {record.name for record in exporter.taken} == {"r", *(f"s{n}" for n in range(20) if n != 7)}
    assert metric(outcome("failed", "failing")) == 1
    assert metric(outcome("sent", "failing")) == 20
    assert exporter.calls < 20


async def test_a_passing_failure_is_tried_again(make_tracing: MakeTracing, alice: uuid.UUID, metric: Metric) -> None:
    exporter = Failing(ValueError("once"), UnavailableError("twice"), RuntimeError("thrice"))
    tracing = await make_tracing([exporter], export_attempts=3)
    async with tracing.run(user_id=alice, name="r"):
        pass
    assert await tracing.flush()
    assert exporter.taken[-1].status is Status.OK
    assert metric(outcome("failed", "failing")) == 0


async def test_an_exporter_that_hangs_is_given_up_and_tried_again(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-1: a write that never returns does not end the writing."""
    exporter = Failing()
    exporter.gate = asyncio.Event()
    tracing = await make_tracing([exporter], export_timeout=0.01)
    async with tracing.run(user_id=alice, name="r"):
        for _ in range(2):
            await exporter.entered.wait()
            exporter.entered.clear()
    exporter.gate.set()
    assert await tracing.flush()
    assert exporter.taken


async def test_a_failing_exporter_harms_no_other(
    make_tracing: MakeTracing, native: Exporter, alice: uuid.UUID, metric: Metric
) -> None:
    """TRACE-1: each exporter has its own queue, task and counters."""
    exporter = Failing(*(UnavailableError("down") for _ in range(10_000)))
    tracing = await make_tracing([exporter, native], flush_timeout=0.05, heartbeat=0.01)
    async with tracing.run(user_id=alice, name="r") as run:
        tracing.span("s").end()
    assert len((await tracing.tree(alice, run.id)).spans) == 1
    assert metric(outcome("sent")) >= 2
    assert metric(outcome("sent", "failing")) == 0


async def test_a_flood_is_dropped_and_counted_and_runs_keep_their_end(
    make_tracing: MakeTracing, alice: uuid.UUID, metric: Metric
) -> None:
    """ALL-6: the queue is bounded; the end of a run finds a place in it when spans fill it."""
    exporter = Failing()
    exporter.gate = asyncio.Event()
    tracing = await make_tracing([exporter], queue_size=10, batch_size=1)
    async with tracing.run(user_id=alice, name="r"):
        await exporter.entered.wait()
        for number in range(50):
            tracing.span(f"s{number}").end()
    assert metric('bedplate_tracing_waiting{exporter="failing"}') == 11
    assert metric(outcome("dropped", "failing")) == 80
    exporter.gate.set()
    assert await tracing.flush()
    last = exporter.taken[-1]
    assert isinstance(last, RunRecord)
    assert last.status is Status.OK
    assert [record.name for record in exporter.taken if isinstance(record, SpanRecord)] == [f"s{n}" for n in range(10)]


async def test_runs_that_find_no_place_are_not_half_recorded(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    exporter = Failing()
    exporter.gate = asyncio.Event()
    tracing = await make_tracing([exporter], queue_size=1)
    async with tracing.run(user_id=alice, name="first"):
        await exporter.entered.wait()
        async with (
            tracing.run(user_id=alice, name="second") as second,
            tracing.run(user_id=alice, name="third") as third,
        ):
            assert second.recording
            assert not third.recording
            third.start_span("of third").end()
    exporter.gate.set()
    await tracing.flush()
    assert "of third" not in {record.name for record in exporter.taken}


async def test_cancelled_while_stopping(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """ALL-1: a stop that is cancelled leaves no task behind, and a later stop and start work."""
    exporter = Failing()
    exporter.gate = asyncio.Event()
    tracing = await make_tracing([exporter], flush_timeout=60)
    async with tracing.run(user_id=alice, name="r"):
        pass
    for turns in range(6):
        stopping = asyncio.create_task(tracing.stop())
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait({stopping})
        await tracing.start()
    exporter.gate.set()
    await tracing.stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("bedplate-tracing")]


async def test_cancelled_at_every_turn_a_run_is_whole(tracing: TracingService, alice: uuid.UUID) -> None:
    """TRACE-1: wherever the flow is cancelled, its run and spans end, and no context leaks."""

    async def flow() -> None:
        async with tracing.run(user_id=alice, name="r"):
            with tracing.span("a"):
                await asyncio.sleep(0)
                with tracing.span("b"):
                    await asyncio.sleep(0)
                    await tracing.flush()
            await asyncio.sleep(0)

    for turns in range(12):
        task = asyncio.create_task(flow())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    for trace in (await tracing.runs(alice)).items:
        tree = await tracing.tree(alice, trace.id)
        assert trace.status in (Status.OK, Status.CANCELLED)
        assert all(span.status in (Status.OK, Status.CANCELLED) for span in tree.spans)


async def test_flushing_is_cancelled_without_a_trace(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    exporter = Failing()
    exporter.gate = asyncio.Event()
    tracing = await make_tracing([exporter])
    async with tracing.run(user_id=alice, name="r"):
        pass
    flushing = asyncio.create_task(tracing.flush(60))
    await exporter.entered.wait()
    flushing.cancel()
    await asyncio.wait({flushing})
    assert not tracing._deliveries[0]._waiters
    exporter.gate.set()
    assert await tracing.flush()


def span_record(number: int, *, size: int = 10, status: Status = Status.RUNNING, **details: Any) -> SpanRecord:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return SpanRecord(
        id=uuid.UUID(int=number), user_id=uuid.UUID(int=0), run_id=uuid.UUID(int=1), name=str(number), status=status,
        started_at=now, size=size, inputs="x" * size, logs=[{"message": "m"}], **details,
    )  # fmt: skip


def test_a_later_record_takes_the_place_of_an_earlier_one() -> None:
    buffer = Buffer(10, 1000)
    for number in range(3):
        assert buffer.put(span_record(number)) is Put.KEPT
    assert buffer.put(span_record(1, status=Status.OK)) is Put.KEPT
    assert buffer.inserted == len(buffer) == 3
    assert [record.status for record in buffer.take(10, 1000)] == [Status.RUNNING, Status.OK, Status.RUNNING]


def test_a_buffer_with_too_many_bytes_keeps_what_happened() -> None:
    """ALL-6: contents go first, then spans."""
    buffer = Buffer(3, 100)
    assert buffer.put(span_record(1, size=90)) is Put.KEPT
    assert buffer.put(span_record(2, size=20)) is Put.STRIPPED
    assert buffer.put(span_record(3, size=10)) is Put.KEPT
    assert buffer.put(span_record(4, size=0)) is Put.DROPPED
    assert buffer.put(span_record(1, size=30)) is Put.KEPT
    assert buffer.put(span_record(2, size=60)) is Put.KEPT
    first = buffer.take(1, 1000)
    assert first[0].inputs == "x" * 30
    assert len(buffer.take(5, 60)) == 1
    assert len(buffer.take(5, 60)) == 1
    assert buffer.put(span_record(5, size=101)) is Put.STRIPPED
    stripped = buffer.take(1, 1)[0]
    assert isinstance(stripped, SpanRecord)
    assert (stripped.inputs, stripped.logs, stripped.size) == (None, [], 0)
    assert stripped.metadata == {"[cut]": "too much was waiting to be written"}


async def test_what_is_in_hand_at_the_stop_is_counted_once(
    make_tracing: MakeTracing, alice: uuid.UUID, metric: Metric
) -> None:
    """TRACE-1: a stop in the middle of a batch, while more waits than the batch holds."""
    exporter = Failing()
    exporter.gate = asyncio.Event()
    tracing = await make_tracing([exporter], flush_timeout=0.01, batch_size=2)
    async with tracing.run(user_id=alice, name="r"):
        await exporter.entered.wait()
        for number in range(20):
            tracing.span(f"s{number}").end()
    await tracing.stop()
    assert metric(outcome("dropped", "failing")) == 22  # the run in hand, its spans, and its end
    exporter.gate.set()
    await tracing.start()
    async with tracing.run(user_id=alice, name="again"):
        pass
    assert await tracing.flush()
    assert exporter.taken[-1].name == "again"
