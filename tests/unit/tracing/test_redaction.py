"""Secrets and sizes: nothing is queued or stored that has not been redacted and cut (TRACE-4)."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing import Record, Status, TracingService
from bedplate.services.tracing.content import Content
from bedplate.services.tracing.guard import Guard

MakeTracing = Callable[..., Awaitable[TracingService]]

CANARY = "canary-Xq7/secret+value"


class Collector:
    """Keeps records as they come out of the queue."""

    name = "collector"
    is_read_back = False

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def export(self, records: Sequence[Record]) -> int:
        self.records += records
        return 0

    async def touch(self, run_ids: Sequence[uuid.UUID]) -> None:
        pass


def files_with(folder: Path, content: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]


async def use_everywhere(tracing: TracingService, user: uuid.UUID, secret: Any) -> uuid.UUID:
    """Put a value into every place of a run that takes one."""
    text = f"before {secret} after"
    run = tracing.run(
        user_id=user, name=text, session_id=text, inputs={"x": [secret, text]}, metadata={"m": text, text: 1}
    )
    with pytest.raises(RuntimeError):
        async with run:
            run.set(more=text)
            with tracing.span(text, inputs=text, key=text, metadata={"m": text}) as span:
                span.log(text, level=text, data={"d": secret})
                span.set(model=text)
                span.end(outputs=[text], error=text)
            with tracing.span("second") as span:
                span.end(error=ValueError(text))
            run.start_span("third").end(outputs=Exception(text), error=Exception(secret))
            raise RuntimeError(text)
    return run.id


async def test_a_registered_secret_reaches_neither_queue_nor_database(
    make_tracing: MakeTracing, redactor: Redactor, alice: uuid.UUID, tmp_path: Path
) -> None:
    """TRACE-4: inputs, outputs, logs, errors, names, metadata: masked before fan-out, on disk too."""
    redactor.register(CANARY)
    collector = Collector()
    queued = await make_tracing([collector])
    await use_everywhere(queued, alice, CANARY)
    tracing = await make_tracing()
    run_id = await use_everywhere(tracing, alice, CANARY)
    await tracing.flush()
    tree = await tracing.tree(alice, run_id)
    assert len(tree.spans) == 3
    assert tree.trace.error == f"RuntimeError: before {MASK} after"
    assert tree.spans[0].logs[0]["message"] == f"before {MASK} after"
    assert "canary" not in repr(tree)
    await queued.flush()
    assert {record.name for record in collector.records} >= {f"before {MASK} after", "second", "third"}
    assert "canary" not in repr(collector.records)
    assert not files_with(tmp_path, b"canary-Xq7")
    assert files_with(tmp_path, b"before __REDACTED__ after")


async def test_secrets_by_name_and_shape_are_masked_too(tracing: TracingService, alice: uuid.UUID) -> None:
    """TRACE-4: authorization, token, secret and credentials, in outputs and logs as well as in inputs."""
    headers = {"Authorization": "Bearer abc", "X-Api-Key": "k1", "session_token": "t1", "client_secret": "s1"}
    async with tracing.run(user_id=alice, name="r", inputs=headers) as run:
        span = run.start_span("s", inputs=[headers], metadata=headers)
        span.log("sent with Bearer abcdef123456", data=headers)
        span.end(outputs={"headers": headers, "max_tokens": 5}, error="key sk-abcdefghijklmnopqrstuv is wrong")
    tree = await tracing.tree(alice, run.id)
    assert tree.trace.inputs == dict.fromkeys(headers, MASK)
    span_read = tree.spans[0]
    assert span_read.outputs == {"headers": dict.fromkeys(headers, MASK), "max_tokens": 5}
    assert span_read.metadata == dict.fromkeys(headers, MASK)
    assert span_read.logs[0]["message"] == f"sent with Bearer {MASK}"
    assert span_read.logs[0]["data"] == dict.fromkeys(headers, MASK)
    assert span_read.error == f"key {MASK} is wrong"


async def test_large_values_are_cut_with_a_marker(make_tracing: MakeTracing, alice: uuid.UUID) -> None:
    """TRACE-4: size limits; what is cut says so."""
    collector = Collector()
    tracing = await make_tracing([collector], max_value_bytes=1000, max_logs_per_span=5)
    async with tracing.run(user_id=alice, name="n" * 5000, inputs="i" * 10**6, metadata={"m": "m" * 10**6}) as run:
        span = run.start_span("s", inputs={"a": ["x" * 300] * 1000})
        for number in range(20):
            span.log(f"log {number}", data="d" * 100)
        span.end(outputs="o" * 10**6, error="e" * 10**6)
        chatty = run.start_span("chatty")
        for _ in range(50):
            chatty.log("m" * 300)
        chatty.set(a="a" * 5000)
        chatty.end()
    await tracing.flush()
    for record in collector.records:
        assert len(msgspec.json.encode(record)) < 9000
        assert record.size < 4500
    latest = {record.name: record for record in collector.records}
    last = latest["s"]
    assert last.outputs.startswith("ooo")
    assert last.outputs.endswith("… [cut: 999008 characters]")
    assert last.inputs["a"][-1] == "[cut: more items]"
    assert [log["message"] for log in last.logs] == [*(f"log {n}" for n in range(5)), "[cut: 15 more log entries]"]  # type: ignore[attr-defined]  # a span
    assert len(latest["chatty"].logs) < 6  # type: ignore[attr-defined]  # a span
    assert len(latest["n" * 255].name) == 255


async def test_the_number_of_spans_of_a_run_is_limited(
    make_tracing: MakeTracing, alice: uuid.UUID, metric: Callable[[str], float]
) -> None:
    """ALL-6: more are counted, on the run and as a metric."""
    tracing = await make_tracing(max_spans_per_run=10)
    async with tracing.run(user_id=alice, name="r") as run:
        for _ in range(25):
            tracing.span("s").end()
    tree = await tracing.tree(alice, run.id)
    assert len(tree.spans) == 10
    assert tree.trace.metadata == {"[cut]": "15 more spans"}
    assert metric("bedplate_tracing_spans_cut_total") == 15


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.binary(max_size=10)
    | st.datetimes() | st.uuids() | st.decimals() | st.complex_numbers() | st.just(CANARY) | st.builds(object)
    | st.builds(lambda text: ValueError(text + CANARY), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    | st.tuples(inner, inner) | st.frozensets(st.text(max_size=5), max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(value=VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
async def test_any_value_is_recorded_without_its_secrets(
    value: Any, tracing: TracingService, redactor: Redactor, alice: uuid.UUID
) -> None:
    """TRACE-1, TRACE-4: whatever inputs and outputs are, the run is recorded, and reads back as JSON."""
    redactor.register(CANARY)
    async with tracing.run(user_id=alice, name="r", inputs=value) as run:
        run.start_span("s", inputs=value).end(outputs=value)
    tree = await tracing.tree(alice, run.id)
    assert tree.trace.status is tree.spans[0].status is Status.OK
    assert CANARY not in msgspec.json.encode(tree).decode()
    if value is not None:
        assert tree.spans[0].outputs is not None


def test_texts_that_databases_refuse_are_mended() -> None:
    configured = SettingsService()
    redactor = Redactor(configured)
    counter = TelemetryService(configured, redactor).meter.counter("failures", "Failures")
    content = Content(redactor, configured.values.tracing, Guard(counter))
    assert content.name("a\x00b\ud800c") == "a\ufffdb?c"
    assert content.name(5) == "5"
    assert content.optional_name(None) is None
    assert content.error(KeyError()) == "KeyError"
    assert content.error("text") == "text"
