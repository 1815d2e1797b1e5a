"""Runs and spans as they are recorded (TRACE-1, TRACE-2)."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from bedplate.services.database import DatabaseService
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import InvalidInputError
from bedplate.services.tracing import (
    NO_SPAN,
    SpanKind,
    SpanNode,
    Status,
    TokenUsage,
    TraceTree,
    TracingService,
)

MakeTracing = Callable[..., Awaitable[TracingService]]


def outline(tree: TraceTree) -> list[Any]:
    """Names as nested lists: a name, followed by the list of what is inside it if there is anything."""

    def of(nodes: tuple[SpanNode, ...]) -> list[Any]:
        result: list[Any] = []
        for node in nodes:
            result.append(node.name)
            if node.children:
                result.append(of(node.children))
        return result

    return of(tree.spans)


async def test_a_run_and_its_spans_are_recorded(
    tracing: TracingService, alice: uuid.UUID, flow: uuid.UUID, metric: Callable[[str], float]
) -> None:
    """TRACE-1: kind, inputs, outputs, logs, errors, token usage, session, user, metadata."""
    async with tracing.run(
        user_id=alice, flow_id=flow, session_id="s", name="My flow", inputs={"a": 1}, metadata={"via": "test"}
    ) as run:
        model = run.start_span(
            "Model", kind="llm", inputs={"prompt": "hi"}, key="vertex-1", metadata={"temperature": 0.5}
        )
        model.log("asked", data={"tries": 1})
        model.log("slow", level="warning")
        model.set(model="gpt")
        model.end(outputs={"text": "hello"}, usage={"prompt_tokens": 3, "completion_tokens": 4})
        tool = run.start_span("Tool", kind=SpanKind.TOOL)
        tool.end(error=ValueError("no such tool"), usage=SimpleNamespace(input_tokens=1, output_tokens=2))
        run.set(outcome="fine")
        run.end(outputs=["hello"])
    tree = await tracing.tree(alice, run.id)
    trace = tree.trace
    assert (trace.id, trace.flow_id, trace.session_id, trace.name) == (run.id, flow, "s", "My flow")
    assert (trace.status, trace.error, trace.inputs, trace.outputs) == (Status.OK, None, {"a": 1}, ["hello"])
    assert trace.metadata == {"via": "test", "outcome": "fine"}
    assert trace.usage == TokenUsage(input_tokens=4, output_tokens=6)
    assert metric('bedplate_tracing_tokens_total{direction="input"}') == 4
    assert metric('bedplate_tracing_tokens_total{direction="output"}') == 6
    assert trace.ended_at is not None
    assert trace.started_at <= trace.ended_at
    first, second = tree.spans
    assert (first.name, first.kind, first.key, first.status) == ("Model", SpanKind.LLM, "vertex-1", Status.OK)
    assert (first.inputs, first.outputs) == ({"prompt": "hi"}, {"text": "hello"})
    assert first.metadata == {"temperature": 0.5, "model": "gpt"}
    assert first.usage == TokenUsage(input_tokens=3, output_tokens=4)
    assert [(log["level"], log["message"], log.get("data")) for log in first.logs] == [
        ("info", "asked", {"tries": 1}),
        ("warning", "slow", None),
    ]
    assert first.ended_at is not None
    assert trace.started_at <= first.started_at <= first.ended_at <= trace.ended_at
    assert (second.kind, second.status, second.error) == (SpanKind.TOOL, Status.ERROR, "ValueError: no such tool")
    assert await tracing.get(alice, run.id) == trace


async def test_a_run_and_its_spans_are_seen_while_they_go_on(tracing: TracingService, alice: uuid.UUID) -> None:
    """TRACE-2: the row is written when the run begins."""
    async with tracing.run(user_id=alice, name="r", inputs="in") as run:
        with tracing.span("outer", inputs="x"), tracing.span("inner"):
            tree = await tracing.tree(alice, run.id)
            assert (tree.trace.status, tree.trace.ended_at, tree.trace.inputs) == (Status.RUNNING, None, "in")
            assert outline(tree) == ["outer", ["inner"]]
            assert tree.spans[0].status is Status.RUNNING
            assert (await tracing.runs(alice)).items[0].status is Status.RUNNING
    tree = await tracing.tree(alice, run.id)
    assert tree.trace.status is tree.spans[0].status is tree.spans[0].children[0].status is Status.OK


async def test_what_leaves_a_block_is_its_end(tracing: TracingService, alice: uuid.UUID) -> None:
    """TRACE-1: an error passes through unchanged and is recorded; a cancellation is no error."""
    run = tracing.run(user_id=alice, name="failing")
    error = RuntimeError("it broke")
    with pytest.raises(RuntimeError) as caught:
        async with run:
            with tracing.span("step"):
                raise error
    assert caught.value is error
    tree = await tracing.tree(alice, run.id)
    assert (tree.trace.status, tree.trace.error) == (Status.ERROR, "RuntimeError: it broke")
    assert (tree.spans[0].status, tree.spans[0].error) == (Status.ERROR, "RuntimeError: it broke")

    entered = asyncio.Event()
    cancelled = tracing.run(user_id=alice, name="cancelled")

    async def work() -> None:
        async with cancelled:
            cancelled.start_span("left open")
            with tracing.span("step"):
                entered.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    tree = await tracing.tree(alice, cancelled.id)
    assert (tree.trace.status, tree.trace.error) == (Status.CANCELLED, None)
    assert {span.status for span in tree.spans} == {Status.CANCELLED}


async def test_an_end_is_final(tracing: TracingService, alice: uuid.UUID) -> None:
    async with tracing.run(user_id=alice, name="r") as run:
        span = run.start_span("step")
        span.end(outputs=1, usage={"input_tokens": 5})
        span.end(outputs=2, error="late", usage={"input_tokens": 5})
        assert not span.recording
        run.start_span("never ended")
        run.end(outputs="first", error="on purpose")
        run.end(outputs="second")
        assert run.start_span("after the end") is NO_SPAN
        assert tracing.span("after the end") is NO_SPAN
        assert not run.recording
    tree = await tracing.tree(alice, run.id)
    assert (tree.trace.outputs, tree.trace.status, tree.trace.error) == ("first", Status.ERROR, "on purpose")
    assert tree.trace.usage == TokenUsage(input_tokens=5)
    assert [(span.name, span.outputs, span.status) for span in tree.spans] == [
        ("step", 1, Status.OK),
        ("never ended", None, Status.INTERRUPTED),
    ]


async def test_an_open_span_is_found_by_its_key(tracing: TracingService, alice: uuid.UUID) -> None:
    """TRACE-1: the consumer of a run's events begins and ends the span of a vertex in different places."""
    async with tracing.run(user_id=alice, name="r") as run:
        run.start_span("first", key="v1")
        run.start_span("second", key="v2", parent=run.span_of("v1"))
        run.span_of("v2").end()
        run.span_of("v1").end()
        assert run.span_of("v1") is NO_SPAN
        run.span_of("unknown").end(error="nobody sees this")
    assert outline(await tracing.tree(alice, run.id)) == ["first", ["second"]]


async def test_the_context_follows_tasks_and_threads(
    tracing: TracingService, alice: uuid.UUID, workers: Workers
) -> None:
    """TRACE-1: a span begun anywhere inside a span is part of it."""

    async def step(name: str) -> None:
        with tracing.span(name):
            await asyncio.sleep(0)
            with tracing.span(f"{name}-inner"):
                await asyncio.sleep(0)

    def blocking(name: str) -> None:
        with tracing.span(name), tracing.span(f"{name}-inner"):
            pass

    async with tracing.run(user_id=alice, name="r") as run:
        with tracing.span("outer"):
            await asyncio.gather(step("task-1"), step("task-2"))
            await asyncio.to_thread(blocking, "to_thread")
            await workers.run("tracing-test", 1, blocking, "workers")
            context = copy_context()
            thread = threading.Thread(target=lambda: context.run(blocking, "thread"))
            thread.start()
            await asyncio.to_thread(thread.join)
        await step("beside")
    expected = []
    for name in ("task-1", "task-2", "to_thread", "workers", "thread"):
        expected += [name, [f"{name}-inner"]]
    assert outline(await tracing.tree(alice, run.id)) == ["outer", expected, "beside", ["beside-inner"]]


async def test_runs_at_once_do_not_mix(tracing: TracingService, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """TRACE-1: fifty runs in one process: each has its own spans, tokens, owner and log context."""
    seen: dict[uuid.UUID, str] = {}

    async def work(number: int) -> tuple[uuid.UUID, uuid.UUID]:
        user = (alice, bob)[number % 2]
        async with tracing.run(user_id=user, name=f"run-{number}") as run:
            for step in range(3):
                with tracing.span(f"{number}-{step}") as span:
                    await asyncio.sleep(0)
                    tracing.span(f"{number}-{step}-inner").end(usage={"input_tokens": number})
                    seen[run.id] = structlog.contextvars.get_contextvars()["run_id"]
                    span.log(f"log of {number}")
        return user, run.id

    for number, (user, run_id) in enumerate(await asyncio.gather(*(work(number) for number in range(50)))):
        tree = await tracing.tree(user, run_id)
        assert outline(tree) == [f"{number}-0", [f"{number}-0-inner"], f"{number}-1", [f"{number}-1-inner"],
                                 f"{number}-2", [f"{number}-2-inner"]]  # fmt: skip
        assert tree.trace.usage.input_tokens == 3 * number
        assert all(span.logs[0]["message"] == f"log of {number}" for span in tree.spans)
        assert seen[run_id] == str(run_id)
    assert "run_id" not in structlog.contextvars.get_contextvars()


async def test_threads_may_record_into_one_run(tracing: TracingService, alice: uuid.UUID) -> None:
    def work(number: int) -> None:
        for step in range(20):
            with tracing.span(f"{number}-{step}") as span:
                span.log("x")
                span.set(step=step)
            span.end()
        tracing.span("tokens").end(usage={"input_tokens": 1})

    async with tracing.run(user_id=alice, name="r") as run:
        await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(8)))
    tree = await tracing.tree(alice, run.id)
    assert len(tree.spans) == 8 * 21
    assert {span.status for span in tree.spans} == {Status.OK}
    assert tree.trace.usage.input_tokens == 8


async def test_a_run_inside_a_run_is_its_own(tracing: TracingService, alice: uuid.UUID) -> None:
    async with tracing.run(user_id=alice, name="outer") as outer:
        with tracing.span("a"):
            async with tracing.run(user_id=alice, name="inner") as inner:
                tracing.span("b").end()
                outer.start_span("c").end()
            tracing.span("d").end()
        assert structlog.contextvars.get_contextvars()["run_id"] == str(outer.id)
    assert outline(await tracing.tree(alice, inner.id)) == ["b"]
    assert outline(await tracing.tree(alice, outer.id)) == ["a", ["d"], "c"]


async def test_a_task_that_outlives_its_run_records_nothing(tracing: TracingService, alice: uuid.UUID) -> None:
    goes_on = asyncio.Event()

    async def late() -> bool:
        await goes_on.wait()
        with tracing.span("late") as span:
            return span.recording

    async with tracing.run(user_id=alice, name="r") as run:
        task = asyncio.create_task(late())
    goes_on.set()
    assert await task is False
    assert outline(await tracing.tree(alice, run.id)) == []


async def test_outside_a_run_a_span_is_nothing(tracing: TracingService) -> None:
    with tracing.span("nobody sees this", inputs=1) as span:
        span.log("x")
        span.set(a=1)
        assert span.start_span("inner") is NO_SPAN
        assert not span.recording
    span.end(outputs=1)
    with pytest.raises(RuntimeError, match="passes through"), tracing.span("failing"):
        raise RuntimeError("passes through")


async def test_a_generator_closed_in_another_task_harms_nothing(tracing: TracingService, alice: uuid.UUID) -> None:
    """TRACE-1: a stream that is given up is closed in the context of whoever closes it."""

    async def stream() -> Any:
        async with tracing.run(user_id=alice, name="stream") as run:
            with tracing.span("step"):
                yield run.id

    generator = stream()
    run_id = await asyncio.create_task(anext(generator))
    await asyncio.create_task(generator.aclose())
    tree = await tracing.tree(alice, run_id)
    assert tree.trace.status is Status.CANCELLED
    assert tree.spans[0].status is Status.CANCELLED


async def test_with_tracing_off_nothing_is_recorded(
    make_tracing: MakeTracing, database: DatabaseService, alice: uuid.UUID
) -> None:
    """TRACE-1: backend ``off``; what was recorded before is still read, and logs still carry the run."""
    on = await make_tracing()
    async with on.run(user_id=alice, name="before"):
        pass
    await on.stop()
    off = await make_tracing(backend="off")
    assert off.backend == "off"
    async with off.run(user_id=alice, name="unseen", inputs=object()) as run:
        assert structlog.contextvars.get_contextvars()["run_id"] == str(run.id)
        assert not run.recording
        assert off.span("x") is NO_SPAN
        assert run.start_span("x") is NO_SPAN
        assert run.span_of("x") is NO_SPAN
        run.set(a=1)
        run.end(outputs=1)
    assert "run_id" not in structlog.contextvars.get_contextvars()
    assert [trace.name for trace in (await off.runs(alice)).items] == ["before"]
    assert await off.flush()


async def test_kinds_are_those_of_openinference() -> None:
    assert SpanKind("llm") is SpanKind.LLM
    assert SpanKind("AGENT") is SpanKind.AGENT
    assert SpanKind("something else") is SpanKind.CHAIN
    assert SpanKind(5) is SpanKind.CHAIN


async def test_limits_of_pages_are_checked(tracing: TracingService, alice: uuid.UUID) -> None:
    for wrong in ({"limit": 0}, {"limit": 201}, {"cursor": "nonsense"}):
        with pytest.raises(InvalidInputError, match="tracing"):
            await tracing.runs(alice, **wrong)  # type: ignore[arg-type]  # each is one of the two
