"""Spans: what they cost the event loop, off, and on with the database and five vendors; and vendors that hang."""

import asyncio
import itertools
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bedplate.services.tracing import TracingService
from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_OFF = 50_000
_ON = 400
_STALL_SECONDS = 1.0
_SPANS_A_SECOND = 500
_INPUTS = {"input_value": "What is the weather like in Paris on the first of March?", "temperature": 0.1}
_OUTPUTS = {"text": "On the first of March it is mild in Paris, with showers in the afternoon.", "finish": "stop"}
_USAGE = {"input_tokens": 31, "output_tokens": 18}
_numbers = itertools.count()


class _Empty:
    def __enter__(self) -> "_Empty":
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """A span off against an empty context manager; on against one of OpenTelemetry; and the loop while vendors hang."""
    with temporary_folder() as folder, run_in(runner, folder, "tracing", tracing={"backend": "off"}) as container:
        tracing = container.tracing()
        yield ratio(
            "span, tracing off",
            lambda: _off(tracing),
            _empty,
            against="an empty context manager",
            unit="ns",
            aim=Aim("≤", 2),
            runner=runner,
        )
    with temporary_folder() as folder, _deaf() as url:
        settings = _five(url) | {"vendor_timeout": 600.0}
        with run_in(runner, folder, "tracing", "auth", tracing=settings) as container:
            user = runner.run(_user(container))
            tracing = container.tracing()
            provider = _provider()
            yield ratio(
                "span, database and five vendors on, cost on the event loop",
                lambda: _on(tracing, user),
                lambda: _opentelemetry(provider),
                against="one of the OpenTelemetry SDK with a batch processor, and the attributes that vendors are told",
                unit="µs",
                aim=Aim("≤", 1),
                runner=runner,
            )
            yield ratio(
                "span, database and five vendors on, beside one without attributes",
                lambda: _on(tracing, user),
                lambda: _bare(provider),
                against="one of the OpenTelemetry SDK that says nothing",
                unit="µs",
                aim=None,
                runner=runner,
            )
            yield absolute(
                "longest stall of the event loop while five vendors hang",
                lambda: _stall(tracing, user),
                unit="ms",
                aim=Aim("≤", 5),
                runner=runner,
            )
            provider.shutdown()


async def _user(container: Any) -> uuid.UUID:
    user: uuid.UUID = (await container.auth().create_superuser("bench", "a password of benchmarks")).id
    return user


def _five(url: str) -> dict[str, Any]:
    return {
        "vendor_environment": False, "vendor_content": True, "flush_timeout": 0.1, "vendor_queue_size": 50_000,
        "queue_size": 50_000, "langfuse_public_key": "pk-lf-benchmark", "langfuse_secret_key": f"sk-lf-{uuid.uuid4()}",
        "langfuse_base_url": url, "langwatch_api_key": f"sk-lw-{uuid.uuid4()}", "langwatch_endpoint": url,
        "langsmith_api_key": f"lsv2_pt_{uuid.uuid4().hex}", "langsmith_endpoint": url, "phoenix_endpoint": url,
        "opik_url": url,
    }  # fmt: skip


@contextmanager
def _deaf() -> Iterator[str]:
    """The URL of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _off(tracing: TracingService) -> float:
    begun = time.perf_counter_ns()
    for _ in range(_OFF):
        with tracing.span("step"):
            pass
    return (time.perf_counter_ns() - begun) / _OFF


def _empty() -> float:
    begun = time.perf_counter_ns()
    for _ in range(_OFF):
        with _Empty():
            pass
    return (time.perf_counter_ns() - begun) / _OFF


async def _on(tracing: TracingService, user: uuid.UUID) -> float:
    """Microseconds of this thread for a span."""
    await tracing.flush(0.0)
    async with tracing.run(user_id=user, name="flow", session_id="session"):
        begun = time.thread_time_ns()
        for _ in range(_ON):
            inputs = _INPUTS | {"number": str(next(_numbers))}
            with tracing.span("model", kind="LLM", inputs=inputs) as span:
                span.end(outputs=_OUTPUTS, usage=_USAGE)
        return (time.thread_time_ns() - begun) / _ON / 1e3


class _Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        for span in spans:
            assert isinstance(span, ReadableSpan)
        return SpanExportResult.SUCCESS


def _provider() -> TracerProvider:
    provider = TracerProvider(resource=Resource({"service.name": "bench"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Nowhere(), max_queue_size=100_000))
    return provider


async def _opentelemetry(provider: TracerProvider) -> float:
    """The same span with the attributes that vendors are told, as an instrumentation makes it."""
    tracer = provider.get_tracer("bench")
    begun = time.thread_time_ns()
    for _ in range(_ON):
        inputs = _INPUTS | {"number": str(next(_numbers))}
        asked, answered = inputs["input_value"], _OUTPUTS["text"]
        before = {
            "gen_ai.operation.name": "chat",
            "gen_ai.conversation.id": "session",
            "openinference.span.kind": "LLM",
            "session.id": "session",
            "user.id": "user",
            "metadata": "{}",
            "input.value": orjson.dumps(inputs).decode(),
            "input.mime_type": "application/json",
            "gen_ai.input.messages": _messages("user", asked),
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": asked,
        }
        with tracer.start_as_current_span("model", attributes=before) as span:
            span.set_attributes(
                {
                    "output.value": orjson.dumps(_OUTPUTS).decode(),
                    "output.mime_type": "application/json",
                    "gen_ai.output.messages": _messages("assistant", answered),
                    "llm.output_messages.0.message.role": "assistant",
                    "llm.output_messages.0.message.content": answered,
                    "gen_ai.usage.input_tokens": _USAGE["input_tokens"],
                    "gen_ai.usage.output_tokens": _USAGE["output_tokens"],
                    "llm.token_count.prompt": _USAGE["input_tokens"],
                    "llm.token_count.completion": _USAGE["output_tokens"],
                    "llm.token_count.total": _USAGE["input_tokens"] + _USAGE["output_tokens"],
                }
            )
    return (time.thread_time_ns() - begun) / _ON / 1e3


def _messages(role: str, text: str) -> str:
    return orjson.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()


async def _bare(provider: TracerProvider) -> float:
    tracer = provider.get_tracer("bench")
    begun = time.thread_time_ns()
    for _ in range(_ON):
        with tracer.start_as_current_span("model"):
            pass
    return (time.thread_time_ns() - begun) / _ON / 1e3


async def _stall(tracing: TracingService, user: uuid.UUID) -> float:
    """The longest time between two turns of the loop, in milliseconds, beside runs of so many spans a second."""
    longest, deadline, spans = 0.0, time.perf_counter() + _STALL_SECONDS, 0
    begun = last = time.perf_counter()
    async with tracing.run(user_id=user, name="flow", session_id="session"):
        while last < deadline:
            if spans < (last - begun) * _SPANS_A_SECOND:
                spans += 1
                with tracing.span("model", kind="LLM", inputs=_INPUTS) as span:
                    span.end(outputs=_OUTPUTS, usage=_USAGE)
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    return longest * 1e3
