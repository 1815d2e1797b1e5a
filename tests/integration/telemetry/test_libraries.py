"""What the instrumentation of libraries tells a collector: Redis, PostgreSQL and Celery; and OTLP over gRPC."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import celery
import grpc
import pytest
from celery import signals
from celery.contrib.testing.worker import start_worker
from dependency_injector.providers import Object
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from tests.servers.otlp import Collector

from bedplate.containers import ApplicationContainer
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService


def _container(container_settings: dict[str, Any], **more: Any) -> ApplicationContainer:
    return ApplicationContainer(settings=Object(SettingsService(**container_settings, **more)))


async def test_redis(container_settings: dict[str, Any], valkey_url: str, otlp: Collector) -> None:
    """TEL-2: commands have their names and no values, through the client of the engine."""
    container = _container(container_settings, redis={"url": valkey_url})
    async with container.running("redis", "telemetry"):
        client = container.redis().client(ServiceType.CACHE)
        await client.set("a-key-of-somebody", "a-value-of-somebody")
        async with client.pipeline() as pipeline:
            pipeline.get("a-key-of-somebody")
            pipeline.incr("counter")
            await pipeline.execute()
    commands = [one for one in otlp.spans if one.attributes.get("db.system.name", "").startswith(("redis", "valkey"))]
    assert {one.kind for one in commands} == {"CLIENT"}
    assert any(one.name.startswith("SET") for one in commands)
    assert any("GET" in one.attributes.get("db.query.text", "") for one in commands)
    assert not otlp.holds("of-somebody")
    assert not otlp.holds("a-password-of-tests")


@pytest.mark.postgres
async def test_postgres(container_settings: dict[str, Any], migrated_postgres: str, otlp: Collector) -> None:
    """TEL-2: statements with places for their values, and the use of the pool."""
    container = _container(container_settings, database={"backend": "postgres", "url": migrated_postgres})
    async with container.running("auth"):
        await container.auth().create_superuser("a-name-of-somebody", "a good long password")
        await otlp.until(lambda: any(one.name == "db.client.connection.count" for one in otlp.points))
    inserts = [one for one in otlp.spans if one.attributes.get("db.query.text", "").startswith("INSERT")]
    assert inserts
    assert {one.attributes["db.system.name"] for one in inserts} == {"postgresql"}
    states = {one.attributes["state"] for one in otlp.points if one.name == "db.client.connection.count"}
    assert states == {"idle", "used"}
    assert not otlp.holds("a good long password")
    assert not otlp.holds("$argon2id$")


@pytest.fixture
def no_logging_of_celery() -> Iterator[None]:
    """Has a worker leave the root logger alone."""

    def nothing(**_: object) -> None:
        """Being connected is enough."""

    signals.setup_logging.connect(nothing)
    yield
    signals.setup_logging.disconnect(nothing)


async def test_celery(container_settings: dict[str, Any], otlp: Collector, no_logging_of_celery: None) -> None:
    """TEL-2: a message carries the trace of its sender to the worker, and nothing stays connected after a stop."""
    app = celery.Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)

    @app.task(name="shop.order")  # type: ignore[untyped-decorator]  # celery has no types
    def order(number: int) -> int:
        return number + 1

    container = _container(container_settings)
    async with container.running("cache"):
        assert signals.task_prerun.receivers
        with start_worker(app, perform_ping_check=False, shutdown_timeout=60):
            assert order.delay(6).get(timeout=60) == 7
        await otlp.until(lambda: any(one.name == "run/shop.order" for one in otlp.spans))
    sent = next(one for one in otlp.spans if one.name == "apply_async/shop.order")
    run = next(one for one in otlp.spans if one.name == "run/shop.order")
    assert (sent.kind, run.kind) == ("PRODUCER", "CONSUMER")
    assert (run.trace_id, run.parent_id) == (sent.trace_id, sent.span_id)
    assert not signals.task_prerun.receivers


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.names: list[str] = []
        self.keys: set[str] = set()

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - as the service is called
        self.keys |= {value for key, value in context.invocation_metadata() if key == "x-collector-key"}
        for group in request.resource_spans:
            self.names += [span.name for scope in group.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def _grpc_collector() -> Iterator[tuple[str, _Traces]]:
    server, traces = grpc.server(ThreadPoolExecutor(2)), _Traces()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(traces, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", traces
    finally:
        server.stop(None).wait()


async def test_otlp_over_grpc(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], tmp_path: Path
) -> None:
    """TEL-2: the other protocol of the standard, with the same variables, where its package is installed."""
    with _grpc_collector() as (url, traces):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
        monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
        container = _container(container_settings)
        async with container.running("cache"):
            await container.cache().set("key", 1)
    assert "cache.set" in traces.names
    assert traces.keys == {"a-key-of-the-collector"}
