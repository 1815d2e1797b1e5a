"""What vendors are told, each in its own words, and what becomes of it when they fail (TRACE-3)."""

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.tracing_vendors import VENDORS, MakeTold, spans_of, vendor_settings
from tests.servers.otlp import Collector, Span

from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.health import HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing import TracingService
from bedplate.services.tracing.factory import build_tracing

QUICK: dict[str, Any] = {
    "backend": "vendors", "vendor_content": True, "vendor_environment": False, "vendor_interval": 0.0,
    "vendor_retry_delay": 0.001, "vendor_retry_delay_max": 0.01, "flush_timeout": 60.0,
}  # fmt: skip


@pytest.fixture
async def make_told(
    tmp_path: Path, settings: SettingsService, redactor: Redactor, telemetry: TelemetryService
) -> AsyncIterator[MakeTold]:
    """Starts tracing services with settings of the test's choice; stops them."""
    made: list[TracingService] = []
    database = build_database(settings, telemetry)  # not started: vendors are told, and nobody else

    async def make(**tracing: Any) -> TracingService:
        service = build_tracing(
            SettingsService(data_dir=tmp_path, tracing=QUICK | tracing), telemetry, database, redactor
        )
        await service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
def alice() -> uuid.UUID:
    """A user, who needs no row."""
    return uuid.uuid4()


@pytest.fixture
def count(telemetry: TelemetryService) -> Callable[[str, str], float]:
    """How many spans of a vendor had an outcome."""

    def read(vendor: str, outcome: str) -> float:
        begin = f'bedplate_tracing_records_total{{exporter="{vendor}",outcome="{outcome}"}}'
        lines = telemetry.exposition().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(begin))

    return read


async def a_run(tracing: TracingService, user: uuid.UUID) -> uuid.UUID:
    """A run as flows make them: a chain, a language model in it, and a tool that fails."""
    async with tracing.run(
        user_id=user, name="answer", session_id="s-1", inputs={"input_value": "why?"}, metadata={"kind": "run"}
    ) as run:
        with (
            tracing.span("prepare", kind="chain", key="Prepare-1"),
            tracing.span("think", kind="llm", inputs={"input_value": "why?", "model": "small-1"}) as span,
        ):
            span.log("asked", data={"try": 1})
            span.end(outputs={"text": "because"}, usage={"input_tokens": 3, "output_tokens": 4})
        with pytest.raises(ValueError, match="no such"), tracing.span("search", kind="tool", inputs="all"):
            raise ValueError("no such place")
        run.end(error="ValueError: no such place")
    return run.id


async def ended_threads() -> None:
    """Wait until the threads of vendors have ended."""
    for thread in threading.enumerate():
        if thread.name.startswith("bedplate-tracing-"):
            await asyncio.to_thread(thread.join, 60)
            assert not thread.is_alive()


class TestWhatIsTold:
    @pytest.fixture
    async def told(
        self, make_told: MakeTold, otlp: Collector, alice: uuid.UUID
    ) -> tuple[Callable[[str], dict[str, Span]], uuid.UUID]:
        tracing = await make_told(**vendor_settings(otlp.url))
        assert set(tracing.vendors) == set(VENDORS)
        run_id = await a_run(tracing, alice)
        assert await tracing.flush()
        return lambda vendor: spans_of(otlp, vendor), run_id

    @pytest.mark.parametrize("vendor", VENDORS)
    async def test_a_run_and_its_steps_arrive_as_a_tree(self, vendor: str, told: Any) -> None:
        """TRACE-3: every step once, under its own, in the trace of the run; no parent is missing."""
        spans, run_id = told[0](vendor), told[1]
        root = spans["answer"]
        assert {name: span.parent_id for name, span in spans.items()} == {
            "answer": "",
            "prepare": root.span_id,
            "think": spans["prepare"].span_id,
            "search": root.span_id,
        }
        assert {span.trace_id for span in spans.values()} == {run_id.hex}
        assert all(root.start_ns <= span.start_ns <= span.end_ns <= root.end_ns for span in spans.values())

    @pytest.mark.parametrize("vendor", VENDORS)
    async def test_each_vendor_finds_what_it_looks_for(self, vendor: str, told: Any, alice: uuid.UUID) -> None:
        """TRACE-3, TRACE-5: inputs, outputs, kind, session, user, tokens and error, where its server reads them."""
        spans, reads = told[0](vendor), VENDORS[vendor]
        think, search, root = spans["think"], spans["search"], spans["answer"]
        assert "why?" in think.attributes[reads.inputs]
        assert "because" in think.attributes[reads.outputs]
        assert "why?" in root.attributes[reads.inputs]
        assert think.attributes[reads.kind] == reads.llm
        for span in spans.values():
            assert span.attributes[reads.session] == "s-1"
            assert span.attributes[reads.user] == str(alice)
        assert reads.usage.items() <= think.attributes.items()
        assert not reads.usage.items() & root.attributes.items()
        assert (search.status, search.status_message) == ("ERROR", "ValueError: no such place")
        assert search.events == [("exception", {"exception.type": "ValueError", "exception.message": "no such place"})]
        assert (root.status, think.status) == ("ERROR", "OK")
        assert think.events[0][1] == {"level": "info", "message": "asked", "data": '{"try":1}'}

    @pytest.mark.parametrize("vendor", VENDORS)
    async def test_requests_are_as_the_vendor_documents_them(self, vendor: str, told: Any, otlp: Collector) -> None:
        """TRACE-3: path, credentials, project and encoding."""
        reads = VENDORS[vendor]
        requests = [one for one in otlp.requests if one.path == reads.path]
        assert requests
        for one in requests:
            assert reads.headers.items() <= one.headers.items()
            assert one.headers.get("content-encoding", "") == reads.encoding
        assert reads.resource.items() <= told[0](vendor)["answer"].resource.items()

    async def test_no_vendor_is_given_what_belongs_to_another(self, told: Any, otlp: Collector) -> None:
        """TRACE-3: neither credentials nor attributes nor parents."""
        for vendor, reads in VENDORS.items():
            others = {value for name, other in VENDORS.items() if name != vendor for value in other.headers.values()}
            for one in otlp.requests:
                if one.path == reads.path:
                    assert not (others - set(reads.headers.values())) & set(one.headers.values())
            strange = [name for name in VENDORS if name not in (vendor, "otlp", "phoenix")]
            for span in told[0](vendor).values():
                assert not [name for name in span.attributes if name.startswith(tuple(f"{one}." for one in strange))]
        assert not otlp.undecodable


async def test_any_set_of_vendors(make_told: MakeTold, otlp: Collector, alice: uuid.UUID) -> None:
    """TRACE-3: those that are set up are told, and nobody else."""
    every = vendor_settings(otlp.url)
    tracing = await make_told(**{name: every[name] for name in every if name.startswith(("opik", "phoenix"))})
    await a_run(tracing, alice)
    assert await tracing.flush()
    assert {span.path for span in otlp.spans} == {VENDORS["opik"].path, VENDORS["phoenix"].path}


async def test_without_leave_no_content_is_told(make_told: MakeTold, otlp: Collector, alice: uuid.UUID) -> None:
    """TRACE-5: prompts and answers leave only when that is allowed; times, tokens and errors do in any case."""
    tracing = await make_told(**vendor_settings(otlp.url), vendor_content=None)
    await a_run(tracing, alice)
    assert await tracing.flush()
    assert not any(otlp.holds(text) for text in ("why?", "because", "asked"))
    assert len(otlp.spans) == 4 * len(VENDORS)
    for vendor, reads in VENDORS.items():
        assert reads.usage.items() <= spans_of(otlp, vendor)["think"].attributes.items()
        assert spans_of(otlp, vendor)["search"].status == "ERROR"


FAILURES: dict[str, Callable[[Collector], None]] = {
    "401": lambda otlp: otlp.answer(401),
    "404": lambda otlp: otlp.answer(404),
    "429": lambda otlp: otlp.answer(429, retry_after="0"),
    "500": lambda otlp: otlp.answer(500),
    "hanging": lambda otlp: otlp.hang(),
}


class TestFailing:
    @pytest.mark.parametrize("failure", [*FAILURES, "down"])
    async def test_the_flow_does_not_notice(
        self,
        failure: str,
        make_told: MakeTold,
        otlp: Collector,
        alice: uuid.UUID,
        count: Callable[[str, str], float],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """TRACE-3: all six fail at once: the run goes on, every span is counted, one line of log for each vendor."""
        url = "http://127.0.0.1:9" if failure == "down" else otlp.url
        tracing = await make_told(
            **vendor_settings(url), vendor_timeout=0.2, vendor_attempts=2, vendor_breaker_failures=0
        )
        if failure in FAILURES:
            FAILURES[failure](otlp)
        for _ in range(5):
            await a_run(tracing, alice)
        assert await tracing.flush()
        for vendor in VENDORS:
            assert count(vendor, "failed") == 20
            assert count(vendor, "sent") == count(vendor, "dropped") == 0
        health = await tracing.health()
        assert health.status is HealthStatus.DEGRADED
        assert all(vendor in str(health.reason) for vendor in VENDORS)
        told = [text for text in caplog.messages if "spans are not delivered" in text]
        assert len(told) == len(VENDORS)
        assert not any("abcdef" in text for text in caplog.messages)

    async def test_one_that_fails_harms_no_other(
        self, make_told: MakeTold, otlp: Collector, alice: uuid.UUID, count: Callable[[str, str], float]
    ) -> None:
        """TRACE-3: each has a queue, a thread and a breaker of its own."""
        tracing = await make_told(
            **vendor_settings(otlp.url) | {"langfuse_base_url": "http://127.0.0.1:9"}, vendor_attempts=1
        )
        await a_run(tracing, alice)
        assert await tracing.flush()
        assert count("langfuse", "failed") == 4
        assert all(count(vendor, "sent") == 4 for vendor in VENDORS if vendor != "langfuse")

    async def test_a_passing_failure_loses_nothing(
        self, make_told: MakeTold, otlp: Collector, alice: uuid.UUID, count: Callable[[str, str], float]
    ) -> None:
        """TRACE-3: what was not taken is tried again, and told once."""
        tracing = await make_told(**vendor_settings(otlp.url), vendor_attempts=10_000, vendor_breaker_failures=0)
        otlp.answer(503)
        await a_run(tracing, alice)
        await otlp.until(lambda: len(otlp.requests) >= 3 * len(VENDORS))
        otlp.answer(200)
        assert await tracing.flush()
        for vendor in VENDORS:
            assert count(vendor, "sent") == 4
            assert len(spans_of(otlp, vendor)) == 4
        assert (await tracing.health()).status is HealthStatus.UP

    async def test_a_vendor_that_fails_again_and_again_is_left_alone(
        self, make_told: MakeTold, otlp: Collector, alice: uuid.UUID, count: Callable[[str, str], float]
    ) -> None:
        """TRACE-3: the breaker opens; what waits is bounded, and what is too much is dropped and counted."""
        every = vendor_settings(otlp.url)
        tracing = await make_told(
            **{name: every[name] for name in every if name.startswith("langwatch")},
            vendor_attempts=1,
            vendor_breaker_failures=2,
            vendor_breaker_reset=3600.0,
            vendor_queue_size=8,
            vendor_batch_size=4,
        )
        otlp.answer(500)
        for _ in range(2):
            await a_run(tracing, alice)
            await tracing.flush()
        assert len(otlp.requests) == 2
        for _ in range(10):
            await a_run(tracing, alice)
            assert not await tracing.flush(60)  # at once: what waits is not sent for now
        assert 10 * 4 - 8 - 4 <= count("langwatch", "dropped") <= 10 * 4 - 8  # a batch may be in the thread's hands
        assert len(otlp.requests) == 2
        await tracing.stop()
        await ended_threads()
        assert count("langwatch", "failed") + count("langwatch", "dropped") == 12 * 4

    async def test_a_stop_ends_in_time_and_counts_what_is_lost(
        self, make_told: MakeTold, otlp: Collector, alice: uuid.UUID, count: Callable[[str, str], float]
    ) -> None:
        """TRACE-3: flush at stop has a deadline, however long a vendor hangs."""
        tracing = await make_told(
            **vendor_settings(otlp.url), vendor_timeout=600.0, flush_timeout=0.05, vendor_batch_size=1
        )
        otlp.hang()
        await a_run(tracing, alice)
        await otlp.until(lambda: len(otlp.requests) == len(VENDORS))
        begun = time.perf_counter()
        await tracing.stop()
        assert time.perf_counter() - begun < 30
        assert all(count(vendor, "dropped") == 3 for vendor in VENDORS)
        otlp.release()
        await ended_threads()
        assert all(count(vendor, "sent") == 1 for vendor in VENDORS)

    async def test_a_service_that_was_stopped_starts_again(
        self, make_told: MakeTold, otlp: Collector, alice: uuid.UUID
    ) -> None:
        """TRACE-3: nothing of the first life is left that could swallow what comes in the second."""
        tracing = await make_told(**vendor_settings(otlp.url))
        await a_run(tracing, alice)
        await tracing.stop()
        otlp.forget()
        await tracing.start()
        await a_run(tracing, alice)
        assert await tracing.flush()
        assert len(otlp.spans) == 4 * len(VENDORS)
