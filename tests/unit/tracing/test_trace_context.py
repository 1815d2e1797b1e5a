"""W3C Trace Context: in, out, through tasks, and what hangs under what (TRACE-5)."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider

from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.trace_context import TraceContext, active, continuing, current_context, current_headers
from bedplate.services.settings import SettingsService
from bedplate.services.tracing import Record, RunRecord, TracingService

MakeTracing = Callable[..., Awaitable[TracingService]]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


class Keeping:
    """An exporter that keeps what it takes."""

    name = "keeping"
    is_read_back = False

    def __init__(self) -> None:
        self.taken: list[Record] = []

    async def export(self, records: Sequence[Record]) -> int:
        self.taken += records
        return 0

    async def touch(self, run_ids: Sequence[uuid.UUID]) -> None:
        pass

    def run(self, name: str) -> RunRecord:
        return next(one for one in self.taken if isinstance(one, RunRecord) and one.name == name)


def test_what_is_written_is_read_again() -> None:
    """TRACE-5: both headers, in the form of the standard."""
    context = TraceContext(trace_id=int(TRACE, 16), span_id=int(SPAN, 16), sampled=False, recorded_id=0xABC)
    assert context.headers == {"traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "bedplate=0000000000000abc"}
    assert TraceContext.parse(context.headers["traceparent"], context.headers["tracestate"]) == context
    plain = TraceContext.parse(f"00-{TRACE}-{SPAN}-01")
    assert plain is not None
    assert plain.headers == {"traceparent": f"00-{TRACE}-{SPAN}-01"}


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01" * 1000,
        "00-４bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_what_is_no_trace_context_says_nothing(traceparent: str) -> None:
    """TRACE-5: an invalid header is passed over, as the standard asks."""
    assert TraceContext.parse(traceparent) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert TraceContext.parse(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") is not None


@pytest.mark.parametrize(
    ("state", "recorded"),
    [
        ("bedplate=0000000000000001", 1),
        ("rojo=00f067aa0ba902b7, bedplate=00000000000000ff ,congo=t61", 255),
        ("bedplate=0000000000000000", None),
        ("bedplate=x", None),
        ("notbedplate=00000000000000ff", None),
        ("a=b," * 1000 + "bedplate=0000000000000001", None),
        (None, None),
    ],
)
def test_the_last_span_of_bedplate_is_found_among_other_members(state: str | None, recorded: int | None) -> None:
    context = TraceContext.parse(f"00-{TRACE}-{SPAN}-01", state)
    assert context is not None
    assert context.recorded_id == recorded


async def test_a_run_goes_on_with_the_trace_that_it_came_in(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-5: the request's trace, and calls from inside name the span that makes them."""
    keeping = Keeping()
    tracing = await make_tracing([keeping])
    came = TraceContext.parse(f"00-{TRACE}-{SPAN}-01")
    with continuing(came):
        async with tracing.run(user_id=alice, name="in") as run:
            with tracing.span("s") as span:
                inside = TraceContext.parse(current_headers()["traceparent"], current_headers()["tracestate"])
                assert inside == span.trace_context
    assert inside is not None
    assert inside.trace_id == int(TRACE, 16)
    assert inside.span_id == inside.recorded_id
    assert run.trace_context is not None
    assert run.trace_context.trace_id == int(TRACE, 16)
    assert not current_headers()
    await tracing.flush()
    info = keeping.run("in").run
    assert info is not None
    assert info.upstream == came


async def test_without_a_caller_a_run_begins_a_trace_of_its_own_id(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    tracing = await make_tracing([Keeping()])
    async with tracing.run(user_id=alice, name="r") as run:
        context = current_context()
        assert context is not None
        assert context.trace_id == run.id.int
    async with tracing.run(user_id=alice, name="r", run_id=uuid.UUID(int=0)) as run:
        context = run.trace_context
        assert context is not None
        assert context.trace_id
        assert context.span_id


async def test_a_run_inside_a_run_hangs_under_the_span_that_began_it(
    make_tracing: MakeTracing, alice: uuid.UUID
) -> None:
    keeping = Keeping()
    tracing = await make_tracing([keeping])
    async with tracing.run(user_id=alice, name="outer") as outer:
        with tracing.span("s") as span:
            under = span.trace_context
            task = asyncio.create_task(_run(tracing, alice, "inner"))
            await task
    await tracing.flush()
    inner = keeping.run("inner").run
    assert inner is not None
    assert inner.upstream == under
    assert inner.trace_id == outer.id.int


async def _run(tracing: TracingService, user: uuid.UUID, name: str, **more: Any) -> None:
    async with tracing.run(user_id=user, name=name, **more):
        pass


async def test_the_context_can_be_handed_on(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-5: what waits for its turn in a queue goes on where it was asked for, not where its turn came."""
    keeping = Keeping()
    tracing = await make_tracing([keeping])
    with continuing(TraceContext.parse(f"00-{TRACE}-{SPAN}-01")):
        context = tracing.context()
    async with tracing.run(user_id=alice, name="another"):
        await _run(tracing, alice, "asked for", context=context)
    await tracing.flush()
    info = keeping.run("asked for").run
    assert info is not None
    assert info.trace_id == int(TRACE, 16)


async def test_a_run_hangs_under_the_current_span_of_opentelemetry(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-5: such as the server span of the request, in the same trace as the header."""
    keeping = Keeping()
    tracing = await make_tracing([keeping])
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("request", context=Context()) as span:
        await _run(tracing, alice, "r")
    await tracing.flush()
    info = keeping.run("r").run
    assert info is not None
    assert info.upstream is not None
    assert (info.upstream.trace_id, info.upstream.span_id) == (
        span.get_span_context().trace_id,
        span.get_span_context().span_id,
    )
    assert info.upstream.recorded_id is None


@pytest.mark.parametrize("propagate", [True, False])
async def test_calls_of_the_http_engine_say_which_trace_they_belong_to(
    propagate: bool, settings: SettingsService
) -> None:
    """TRACE-5: out through HTTP; a header that a caller sets stays."""
    engine = HttpEngine(SettingsService(data_dir=settings.values.data_dir, tracing={"propagate": propagate}))
    await engine.start()
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    engine.client._transport = httpx.MockTransport(answer)
    with continuing(TraceContext.parse(f"00-{TRACE}-{SPAN}-01", "bedplate=00000000000000ff")):
        await engine.client.get("http://example.invalid/")
        await engine.client.get("http://example.invalid/", headers={"traceparent": "mine"})
    await engine.client.get("http://example.invalid/")
    await engine.stop()
    first, own, outside = seen
    assert first.get("traceparent") == (f"00-{TRACE}-{SPAN}-01" if propagate else None)
    assert first.get("tracestate") == ("bedplate=00000000000000ff" if propagate else None)
    assert own["traceparent"] == "mine"
    assert "traceparent" not in outside


def test_going_on_with_nothing_leaves_what_was_before() -> None:
    with continuing(None):
        assert active.get() is None
        assert current_context() is None
