"""The way of spans to vendors: sampling, refusals, bounds, and what the event loop notices of it (TRACE-3, TRACE-4)."""

import asyncio
import os
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.servers.otlp import Collector

from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.trace_context import TraceContext
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing import RunInfo, RunRecord, SpanKind, SpanRecord, Status, TracingService
from bedplate.services.tracing.factory import build_tracing
from bedplate.services.tracing.ids import is_sampled
from bedplate.services.tracing.vendors import conventions
from bedplate.services.tracing.vendors.langfuse import Langfuse
from bedplate.services.tracing.vendors.messages import input_messages, output_messages, query_of
from bedplate.services.tracing.vendors.otlp import Otlp
from bedplate.services.tracing.vendors.providers import gen_ai_provider, open_inference_provider
from bedplate.services.tracing.vendors.sampling import TailSampler
from bedplate.services.tracing.vendors.sender import NotDeliveredError, Sender, SpansRefusedError
from bedplate.services.tracing.vendors.step import Step
from bedplate.services.tracing.vendors.vendor import Destination

Make = Callable[..., Awaitable[TracingService]]
Count = Callable[[str], float]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUICK: dict[str, Any] = {
    "backend": "vendors", "vendor_content": True, "vendor_environment": False, "vendor_interval": 0.0,
    "vendor_retry_delay": 0.001, "vendor_retry_delay_max": 0.01, "flush_timeout": 60.0,
}  # fmt: skip


@pytest.fixture
async def make(
    tmp_path: Path, settings: SettingsService, redactor: Redactor, telemetry: TelemetryService, otlp: Collector
) -> AsyncIterator[Make]:
    """Starts tracing services that tell the collector alone."""
    made: list[TracingService] = []
    database = build_database(settings, telemetry)

    async def start(**tracing: Any) -> TracingService:
        given = QUICK | {"otlp_endpoint": otlp.url} | tracing
        service = build_tracing(SettingsService(data_dir=tmp_path, tracing=given), telemetry, database, redactor)
        await service.start()
        made.append(service)
        return service

    yield start
    for service in made:
        await service.stop()


@pytest.fixture
def count(telemetry: TelemetryService) -> Count:
    def read(outcome: str) -> float:
        begin = f'bedplate_tracing_records_total{{exporter="otlp",outcome="{outcome}"}}'
        lines = telemetry.exposition().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(begin))

    return read


async def a_run(tracing: TracingService, *, fails: bool = False, spans: int = 2, **more: Any) -> uuid.UUID:
    async with tracing.run(user_id=uuid.uuid4(), name="r", **more) as run:
        for number in range(spans):
            tracing.span(f"s{number}").end(error="ValueError: no" if fails and number == 0 else None)
    return run.id


# Sampling


def test_every_replica_decides_alike_and_by_the_share() -> None:
    """TRACE-4: by the random bits of the trace id."""
    ids = [uuid.uuid4().int for _ in range(4000)]
    assert all(is_sampled(one, 1.0) for one in ids)
    assert not any(is_sampled(one, 0.0) for one in ids)
    assert 0.2 < sum(is_sampled(one, 0.25) for one in ids) / len(ids) < 0.3
    assert [is_sampled(one, 0.25) for one in ids] == [is_sampled(one, 0.25) for one in ids]
    assert all(is_sampled(one, 0.5) for one in ids if is_sampled(one, 0.25))


async def test_runs_in_which_something_failed_are_always_told(make: Make, otlp: Collector) -> None:
    """TRACE-4: error-biased: whole, with the spans that ended before the one that failed; of the others none."""
    tracing = await make(vendor_sample_rate=0.0)
    for _ in range(5):
        await a_run(tracing)
    failed = await a_run(tracing, fails=True)
    with pytest.raises(ValueError, match="late"):
        async with tracing.run(user_id=uuid.uuid4(), name="late") as late:
            tracing.span("before").end()
            raise ValueError("late")
    assert await tracing.flush()
    assert {span.trace_id for span in otlp.spans} == {failed.hex, late.id.hex}
    assert sorted(span.name for span in otlp.spans) == ["before", "late", "r", "s0", "s1"]


async def test_a_caller_that_does_not_record_is_heeded_but_for_errors(make: Make, otlp: Collector) -> None:
    """TRACE-4, TRACE-5: the flag of the trace context."""
    tracing = await make()
    unsampled = TraceContext(trace_id=7, span_id=8, sampled=False)
    await a_run(tracing, context=unsampled)
    assert await tracing.flush()
    assert not otlp.spans
    await a_run(tracing, context=unsampled, fails=True)
    assert await tracing.flush()
    assert len(otlp.spans) == 3


def a_step(number: int, *, run: int = 1, failed: bool = False, root: bool = False, size: int = 10) -> Step:
    info = RunInfo(
        id=uuid.UUID(int=run), user_id=uuid.UUID(int=9), flow_id=None, session_id=None, name="r", trace_id=run,
        span_id=run, sampled=False,
    )  # fmt: skip
    details: dict[str, Any] = {
        "id": uuid.UUID(int=number), "user_id": info.user_id, "name": str(number), "started_at": NOW, "ended_at": NOW,
        "status": Status.ERROR if failed else Status.OK, "size": size, "run": info,
    }  # fmt: skip
    record = RunRecord(**details) if root else SpanRecord(**details, run_id=info.id)
    return Step(record, info, content=True)


def test_what_is_held_back_is_bounded() -> None:
    """TRACE-4: by number and by bytes; the run that began first is given up, and the others are whole."""
    sampler = TailSampler(4, 1000)
    for number in range(3):
        assert sampler.decide(a_step(number, run=1)) == ((), 0)
    assert sampler.decide(a_step(10, run=2)) == ((), 0)
    assert sampler.decide(a_step(11, run=2)) == ((), 3)
    told, _ = sampler.decide(a_step(12, run=2, failed=True))
    assert [step.record.name for step in told] == ["10", "11", "12"]
    assert sampler.decide(a_step(20, run=3, size=900))[1] == 0
    assert sampler.decide(a_step(30, run=4, size=200))[1] == 1
    assert sampler.decide(a_step(40, run=4, root=True))[1] == 2
    assert len(sampler) == 0


def test_after_a_failure_the_rest_of_the_run_goes_through() -> None:
    sampler = TailSampler(10, 1000)
    sampler.decide(a_step(1, failed=True))
    assert len(list(sampler.decide(a_step(2))[0])) == 1
    assert len(list(sampler.decide(a_step(3, root=True))[0])) == 1
    assert sampler.decide(a_step(4)) == ((), 0)


# Refusals


async def test_a_span_that_is_refused_stands_alone(
    make: Make, otlp: Collector, count: Count, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """TRACE-3: one that the collector cannot read costs no other, and is told once."""
    decode = Collector._decode

    def picky(self: Collector, path: str, headers: Any, body: bytes) -> None:
        if b"s7" in body:
            raise ValueError("no such message")
        decode(self, path, headers, body)

    monkeypatch.setattr(Collector, "_decode", picky)
    tracing = await make(vendor_interval=60.0)
    await a_run(tracing, spans=20)
    assert await tracing.flush()
    assert {span.name for span in otlp.spans} == {"r", *(f"s{n}" for n in range(20) if n != 7)}
    assert (count("sent"), count("refused"), count("failed")) == (20, 1, 0)
    assert len([text for text in caplog.messages if "a span is refused (HTTP 400)" in text]) == 1


async def test_spans_that_the_collector_says_it_rejected_are_counted(
    make: Make, otlp: Collector, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-3: partial success of OTLP."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    otlp.replies["/v1/traces"] = answer.SerializeToString()
    otlp.answer(200, content_type="application/x-protobuf")
    tracing = await make(vendor_interval=60.0)
    await a_run(tracing, spans=4)
    assert await tracing.flush()
    assert (count("sent"), count("refused")) == (3, 2)


def test_what_servers_answer_is_understood(otlp: Collector) -> None:
    """TRACE-3: each kind of failure has a name, and says whether trying again makes sense."""
    sender = Sender(Destination(url=f"{otlp.url}/v1/traces", headers={"x": "secret"}, set_by=("THE_KEY",)), 5.0)
    try:
        for status, again, named in (
            (401, False, "credentials"),
            (404, False, "nothing that takes"),
            (429, True, "429"),
        ):
            otlp.answer(status, retry_after="7")
            with pytest.raises(NotDeliveredError, match=named) as caught:
                sender.send(b"")
            assert caught.value.again is again
            assert caught.value.retry_after == (7.0 if again else None)
        otlp.answer(302, location=otlp.url)
        with pytest.raises(NotDeliveredError, match="302"):
            sender.send(b"")
        assert len(otlp.requests) == 4, "a redirect is not followed"
        otlp.answer(413)
        with pytest.raises(SpansRefusedError, match="413"):
            sender.send(b"")
        otlp.answer(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
        with pytest.raises(NotDeliveredError) as caught:
            sender.send(b"")
        assert caught.value.retry_after == 0.0
    finally:
        sender.close()


# Bounds


async def test_a_hundred_megabytes_are_cut_before_they_go_anywhere(make: Make, otlp: Collector) -> None:
    """TRACE-3: neither the queue nor a request ever holds them."""
    tracing = await make()
    huge = "x" * (100 * 1024 * 1024)
    async with tracing.run(user_id=uuid.uuid4(), name="r", inputs=huge) as run:
        with tracing.span("s", kind="llm", inputs={"prompt": huge}) as span:
            span.log("l", data=huge)
            span.end(outputs=huge)
        run.end(outputs=[huge, huge])
    assert await tracing.flush()
    assert len(otlp.spans) == 2
    assert sum(len(one.body) for one in otlp.requests) < 1024 * 1024
    assert "cut" in str(otlp.spans[0].attributes["input.value"])


async def test_too_many_bytes_are_told_without_their_contents(make: Make, otlp: Collector, count: Count) -> None:
    """TRACE-3: that something happened comes before what it was about."""
    tracing = await make(vendor_queue_bytes=4096, vendor_interval=60.0, vendor_batch_bytes=1024)
    async with tracing.run(user_id=uuid.uuid4(), name="r"):
        for number in range(8):
            tracing.span(f"s{number}", inputs="x" * 1000).end()
            await asyncio.sleep(0.05)  # so that each is handed on by itself
    assert await tracing.flush()
    assert {span.name for span in otlp.spans} >= {"r", "s0"}
    assert count("stripped") + count("dropped") > 0
    assert count("sent") + count("dropped") == 9


async def test_a_flood_is_dropped_and_counted(make: Make, otlp: Collector, count: Count) -> None:
    """TRACE-3: whatever becomes of a span, it is counted."""
    tracing = await make(vendor_queue_size=16, vendor_timeout=600.0)
    otlp.hang()
    await a_run(tracing, spans=500)
    await otlp.until(lambda: otlp.requests)
    await a_run(tracing, spans=500)
    otlp.release()
    assert await tracing.flush()
    assert count("dropped") > 400
    assert count("dropped") + count("sent") == 1002
    assert count("sent") == len(otlp.spans)


async def test_spans_of_threads_and_of_many_runs_at_once_arrive_once(make: Make, otlp: Collector) -> None:
    """TRACE-3: from any thread, under any load that fits."""
    tracing = await make()

    async def one() -> None:
        async with tracing.run(user_id=uuid.uuid4(), name="r"):
            await asyncio.gather(*(asyncio.to_thread(lambda: tracing.span("s").end()) for _ in range(5)))

    await asyncio.gather(*(one() for _ in range(40)))
    assert await tracing.flush()
    assert len(otlp.spans) == len({span.span_id for span in otlp.spans}) == 40 * 6
    roots = {span.span_id for span in otlp.spans if span.name == "r"}
    assert all(span.parent_id in roots for span in otlp.spans if span.name == "s")


async def test_flushing_is_cancelled_without_a_trace_and_stop_at_any_moment(make: Make, otlp: Collector) -> None:
    """ALL-1: whatever is cancelled, the next flush and the stop work."""
    tracing = await make(vendor_timeout=600.0, flush_timeout=0.05)
    otlp.hang()
    await a_run(tracing)
    for turns in range(4):
        flushing = asyncio.create_task(tracing.flush(60))
        for _ in range(turns):
            await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.wait({flushing})
    otlp.release()
    assert await tracing.flush(60)
    await asyncio.gather(tracing.stop(), tracing.stop())
    assert await tracing.flush(1)


def _tell_in_child(tracing: TracingService) -> int:
    """Tell of one run; the loop of the parent cannot be used in its child, and telling needs none."""
    fanout, record = tracing._fanout, a_step(77, run=77, root=True).record
    assert fanout is not None
    assert record.run is not None
    sampled = msgspec.structs.replace(record.run, sampled=True)
    fanout.offer(msgspec.structs.replace(record, run=sampled, name="child"))
    deadline = time.monotonic() + 60
    while any(one._settled < 1 for one in fanout._pipelines):
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.01)
    return 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_forked_process_tells_what_it_did(make: Make, otlp: Collector) -> None:
    """TRACE-3: the threads of the parent are not there, and those of the child are made with its first span."""
    tracing = await make()
    await a_run(tracing)
    assert await tracing.flush()
    assert any(thread.name == "bedplate-tracing-otlp" for thread in threading.enumerate())
    otlp.forget()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os._exit(_tell_in_child(tracing))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert [span.name for span in otlp.spans] == ["child"]


async def test_nothing_global_is_touched(make: Make, otlp: Collector) -> None:
    """TRACE-3: no tracer provider of the process, no variable, no logger, no hook at exit."""
    from opentelemetry import trace

    before = dict(os.environ), trace.get_tracer_provider()
    tracing = await make()
    await a_run(tracing)
    assert await tracing.flush()
    assert (dict(os.environ), trace.get_tracer_provider()) == before
    await tracing.stop()
    for thread in threading.enumerate():
        if thread.name.startswith("bedplate-tracing-"):
            await asyncio.to_thread(thread.join, 60)
            assert not thread.is_alive()


async def test_variables_of_opentelemetry_do_not_leak_to_vendors(
    make: Make, otlp: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-3: a token for the collector is sent to the collector alone, which the SDK's exporter does not keep to."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20of-the-collector,x-leak=1")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1")
    tracing = await make(otlp_endpoint="", langwatch_api_key="lw-1", langwatch_endpoint=f"{otlp.url}/lw")
    await a_run(tracing)
    assert await tracing.flush()
    assert len(otlp.spans) == 3
    assert not otlp.holds("of-the-collector")
    assert all("x-leak" not in one.headers for one in otlp.requests)
    assert all(len(span.attributes) > 4 for span in otlp.spans)


# What spans say


def test_names_are_those_of_the_conventions() -> None:
    """TRACE-5: as the packages of OpenTelemetry and of OpenInference have them, in the version that is named."""
    from openinference.semconv.trace import DocumentAttributes, OpenInferenceSpanKindValues, SpanAttributes
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
    from opentelemetry.semconv.schemas import Schemas

    assert conventions.SCHEMA_URL in {one.value for one in Schemas}
    operations = {one.value for one in gen_ai.GenAiOperationNameValues}
    assert {*conventions.OPERATIONS.values(), "invoke_workflow"} <= operations
    assert {one.value for one in SpanKind} <= {one.value for one in OpenInferenceSpanKindValues}
    known = {value for names in (gen_ai, SpanAttributes) for value in vars(names).values() if isinstance(value, str)}
    step, models = a_step(1, root=True), (SpanKind.LLM, SpanKind.EMBEDDING)
    parameters = {"temperature": 0.5, "top_p": 1, "top_k": 3, "max_tokens": 9, "seed": 7}
    for kind in SpanKind:
        record = SpanRecord(
            id=uuid.UUID(int=5), user_id=step.run.user_id, run_id=step.run.id, name="n", status=Status.ERROR,
            started_at=NOW, kind=kind, error="E: no", outputs=["o", {"text": "d", "id": "i", "score": 1}],
            inputs={"prompt": "p", "system_message": "s", "model": "m", "provider": "q", **parameters},
            metadata={"response_model": "m-1", "finish_reason": "stop"},
        )  # fmt: skip
        told = Step(record, step.run, content=True).attributes
        numbered = ("bedplate.", "llm.input_messages.", "llm.output_messages.", "retrieval.documents.")
        assert {name for name in told if name not in known and not name.startswith(numbered)} <= {"error.type"}
        assert {f"gen_ai.request.{name}" for name in parameters} <= told.keys() or kind not in models
        messages = [name for name in told if "_messages." in name]
        assert {name.partition("_messages.")[0] + "_messages" for name in messages} <= known
        documents = {
            name.partition("0.")[2] for name in told if name.startswith(f"{SpanAttributes.RETRIEVAL_DOCUMENTS}.0")
        }
        assert documents <= {value for value in vars(DocumentAttributes).values() if isinstance(value, str)}
        assert bool(documents) is (kind is SpanKind.RETRIEVER)


def test_a_model_is_called_what_the_conventions_call_it() -> None:
    """TRACE-5: whatever the component calls its provider, and with how it was asked and why it ended."""
    from openinference.semconv.trace import OpenInferenceLLMProviderValues
    from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiProviderNameValues

    theirs = {one.value for one in GenAiProviderNameValues}
    for name in ("OpenAI", "Anthropic", "Azure OpenAI", "Amazon Bedrock", "Google Generative AI", "Mistral", "xAI"):
        assert gen_ai_provider(name) in theirs
        assert open_inference_provider(name) in {one.value for one in OpenInferenceLLMProviderValues}
    assert gen_ai_provider("A model of Ours") == open_inference_provider("A model of Ours") == "a model of ours"
    run = a_step(1, root=True).run
    record = SpanRecord(
        id=uuid.UUID(int=5), user_id=run.user_id, run_id=run.id, name="n", status=Status.OK, started_at=NOW,
        kind=SpanKind.LLM, outputs={"text": "o"}, metadata={"response_model": "m-1", "finish_reason": "tool_calls"},
        inputs={"prompt": "p", "model": "m", "temperature": 0.5, "max_tokens": 9.0, "seed": True, "top_p": "high"},
    )  # fmt: skip
    told = Step(record, run, content=True).attributes
    assert (told["gen_ai.request.temperature"], told["gen_ai.request.max_tokens"]) == (0.5, 9)
    assert not {"gen_ai.request.seed", "gen_ai.request.top_p"} & told.keys()
    assert told["llm.invocation_parameters"] == '{"temperature":0.5,"max_tokens":9}'
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == ("m", "m-1")
    assert told["gen_ai.response.finish_reasons"] == ["tool_calls"]
    [answer] = orjson.loads(told["gen_ai.output.messages"])
    assert answer["finish_reason"] == "tool_call"


def test_names_of_langfuse_are_those_of_its_sdk() -> None:
    """TRACE-3: the constants that it publishes."""
    from langfuse import LangfuseOtelSpanAttributes

    known = tuple(value for value in vars(LangfuseOtelSpanAttributes).values() if isinstance(value, str))
    step = a_step(1, failed=True)
    told = [name for name in Langfuse().attributes(step) if name.startswith("langfuse.")]
    assert told
    assert all(name.startswith(known) for name in told)


def test_messages_are_told_apart_where_they_can_be() -> None:
    value = {"messages": [{"role": "Human", "content": "a"}, {"sender": "AI", "text": "b"}, 7], "system_message": "s"}
    assert input_messages(value, "all") == [("system", "s"), ("user", "a"), ("assistant", "b")]
    assert input_messages({"input_value": "a"}, "all") == [("user", "a")]
    said = {"input_value": {"text": "a", "sender": "User"}, "system_message": {"text": "s"}}
    assert input_messages(said, "all") == [("system", "s"), ("user", "a")]
    assert query_of({"mode": "Retrieve"}) is None
    assert query_of({"query": "q", "input_value": "a"}) == query_of("q") == "q"
    assert output_messages({"text_output": {"text": "b"}}, "all") == [("assistant", "b")]
    assert input_messages({"temperature": 1}, "all") == [("user", "all")]
    assert input_messages(None, None) == []
    assert output_messages({"text_output": "b"}, "all") == [("assistant", "b")]
    assert output_messages([1], "[1]") == [("assistant", "[1]")]


def test_a_number_that_no_json_library_likes_is_told() -> None:
    step = a_step(1)
    record = SpanRecord(
        id=uuid.UUID(int=5), user_id=step.run.user_id, run_id=step.run.id, name="n", status=Status.OK, started_at=NOW,
        inputs={"n": 2**80}, metadata={"m": 2**80},
    )  # fmt: skip
    told = Langfuse().attributes(Step(record, step.run, content=True))
    assert str(2**80) in told["input.value"]
    assert str(2**80) in told["langfuse.observation.metadata.m"]


async def test_a_thread_that_ends_says_so(
    make: Make, otlp: Collector, count: Count, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """TRACE-3: a mistake in the way to a vendor is seen in the health and the log, and what is lost is counted."""

    def mistaken(self: Sender, body: bytes) -> int:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Sender, "send", mistaken)
    tracing = await make()
    await a_run(tracing)
    await tracing.flush()
    assert "its thread ended (RuntimeError)" in str((await tracing.health()).reason)
    await a_run(tracing)
    await tracing.flush()
    assert count("dropped") >= 3
    assert len([text for text in caplog.messages if "its thread ended" in text]) == 1


async def test_tls_of_the_collector_is_checked(make: Make, otlp: Collector, count: Count, tmp_path: Path) -> None:
    """TRACE-3: a server that is no TLS server, and one whose certificate nobody signed, get nothing."""
    tracing = await make(otlp_endpoint=otlp.url.replace("http:", "https:"), vendor_attempts=1)
    await a_run(tracing)
    await tracing.flush()
    assert count("failed") == 3
    assert not otlp.spans


async def test_a_span_that_cannot_be_made_costs_no_other(
    make: Make, otlp: Collector, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-3: a mistake in what is made of one span neither ends the thread nor loses the rest."""
    attributes = Otlp.attributes

    def mistaken(self: Otlp, step: Step) -> dict[str, Any]:
        if step.record.name == "s1":
            raise RuntimeError("a mistake")
        return attributes(self, step)

    monkeypatch.setattr(Otlp, "attributes", mistaken)
    tracing = await make()
    for _ in range(2):
        await a_run(tracing, spans=3)
        assert await tracing.flush()
    assert (count("sent"), count("failed")) == (6, 2)
    assert sorted({span.name for span in otlp.spans}) == ["r", "s0", "s2"]
