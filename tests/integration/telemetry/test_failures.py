"""Collectors that are down, refuse, hang or are no collectors; and settings that are wrong."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from dependency_injector.providers import Object
from tests.servers.otlp import Collector

from bedplate.containers import ApplicationContainer
from bedplate.containers.errors import StartError
from bedplate.services.errors import ConfigurationError
from bedplate.services.health import HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.servers.postgres import free_port

Stop = Callable[[], Awaitable[object]]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        one.getMessage()
        for one in caplog.records
        if one.levelno >= logging.WARNING and "telemetry is" in one.getMessage()
    ]


def lost(container: ApplicationContainer, signal: str) -> float:
    return sum(
        float(line.rpartition(" ")[2])
        for line in container.telemetry().exposition().decode().splitlines()
        if line.startswith("bedplate_telemetry_undelivered_total{") and f'signal="{signal}"' in line
    )


@pytest.fixture
def watched(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Sees what is logged, also by what has no handlers of its own."""
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    # The application's handlers, of which one is that of the test.
    return container_settings | {"telemetry": {"backend": "otlp", "log_handler": "app", "flush_timeout": 2}}


@pytest.mark.parametrize("status", [401, 415, 500])
async def test_a_collector_that_refuses_is_told_of_once(
    container: ApplicationContainer, clients: Clients, otlp: Collector, watched: pytest.LogCaptureFixture, status: int
) -> None:
    """TEL-2: one warning with its reason, whatever number of spans; degraded until it is back; counted."""
    client = await clients.logged_in("alice")
    otlp.answer(status)
    otlp.forget()
    for _ in range(3):
        seen = len(otlp.requests)
        assert (await client.get("/api/v1/users/whoami")).status_code == 200
        await otlp.until(lambda seen=seen: len(otlp.requests) > seen)  # type: ignore[misc]  # bound in the loop
    await otlp.until(lambda: any(one.path.endswith("/v1/metrics") for one in otlp.requests))
    await otlp.until(lambda: lost(container, "traces") and lost(container, "metrics"))
    [warning] = warnings_of(watched)
    assert otlp.url in warning
    assert str(status) in warning
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in warning
    health = await container.telemetry().health()
    assert health.status is HealthStatus.DEGRADED
    assert str(status) in (health.reason or "")
    assert (await client.get("/readyz")).status_code == 200

    otlp.answer(200)
    while (await container.telemetry().health()).status is not HealthStatus.UP:
        await client.get("/api/v1/users/whoami")
        await asyncio.sleep(0.01)
    assert len(warnings_of(watched)) == 1
    assert not [one for one in watched.records if one.name.startswith("opentelemetry")]


async def test_a_collector_that_hangs_delays_nobody(
    container: ApplicationContainer, clients: Clients, otlp: Collector, stop: Stop, watched: pytest.LogCaptureFixture
) -> None:
    """TEL-2: requests are answered, queues stay bounded, and a stop leaves at its deadline."""
    client = await clients.logged_in("alice")
    otlp.hang()
    for _ in range(20):
        assert (await client.get("/api/v1/users/whoami")).status_code == 200
    await otlp.until(lambda: any(one.path.endswith("/v1/traces") for one in otlp.requests))
    begun = time.monotonic()
    await stop()
    assert time.monotonic() - begun < 2 + 5
    assert any("not all telemetry was delivered" in one.getMessage() for one in watched.records)


async def test_a_collector_that_is_down_costs_nothing_but_what_it_misses(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], watched: pytest.LogCaptureFixture
) -> None:
    secret = "a-password-in-the-address"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://user:{secret}@127.0.0.1:{free_port()}")
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    async with container.running("cache"):
        await container.cache().set("key", 1)
    assert lost(container, "traces") >= 1
    [warning] = warnings_of(watched)
    assert "127.0.0.1" in warning
    assert "onnection" in warning
    assert secret not in watched.text


async def test_what_is_too_much_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector
) -> None:
    """TEL-2: the queue is bounded, whatever the collector does."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    otlp.hang()
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    async with container.running("cache"):
        for number in range(500):
            await container.cache().set("key", number)
        text = container.telemetry().exposition().decode()
        dropped = next(one for one in text.splitlines() if 'reason="full",signal="traces"' in one)
        assert float(dropped.rpartition(" ")[2]) >= 500 - 30
        otlp.release()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector.example:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "not a url at all"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://host:port/v1/metrics"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a-secret-without-a-name"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ],
)
async def test_a_wrong_variable_is_named_at_start(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], name: str, value: str
) -> None:
    """TEL-2: nothing is started, and no value is shown: it may be a secret."""
    monkeypatch.setenv(name, value)
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    with pytest.raises((StartError, ConfigurationError)) as refused:
        await container.init_resources()
    assert name in str(refused.value)
    assert "Fix: " in str(refused.value)
    if len(value) > 2:
        assert value not in str(refused.value)


async def test_grpc_without_its_package_names_it(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    for name in [one for one in sys.modules if one.startswith("opentelemetry.exporter.otlp.proto.grpc")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc", None)
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    with pytest.raises(StartError, match="pip install opentelemetry-exporter-otlp-proto-grpc"):
        await container.init_resources()


async def test_turned_off_by_the_standard_variable(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    async with container.running("cache"):
        await container.cache().set("key", 1)
        assert [one.calls for one in container.telemetry().operations("cache") if one.operation == "set"] == [1]
    assert otlp.requests == []


async def test_one_signal_may_go_elsewhere_or_nowhere(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{otlp.url}/of/a/vendor/v1/traces")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    async with container.running("cache"):
        await container.cache().set("key", 1)
    assert {one.path for one in otlp.spans} == {"/of/a/vendor/v1/traces"}
    assert otlp.points
    assert otlp.logs == []
    assert {one.headers["content-encoding"] for one in otlp.requests} == {"gzip"}


async def test_the_sampler_decides(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    async with container.running("cache"):
        await container.cache().set("key", 1)
    assert otlp.spans == []
    assert otlp.points


async def test_variables_may_stand_in_the_dotenv_file(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector, tmp_path: Path
) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    file = tmp_path / "settings.env"
    file.write_text("OTEL_SERVICE_NAME=from-the-file\nOTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9\n")
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings, env_file=file)))
    async with container.running("cache"):
        await container.cache().set("key", 1)
    assert {one.resource["service.name"] for one in otlp.spans} == {"from-the-file"}


async def test_a_collector_that_is_busy_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector
) -> None:
    """TEL-2: 429 with Retry-After loses nothing, as long as the timeout lasts."""
    otlp.answer(429, retry_after="1")
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    async with container.running("cache"):
        await container.cache().set("key", 1)
        await otlp.until(lambda: any(one.path.endswith("/v1/traces") for one in otlp.requests))
        otlp.answer(200)
        await otlp.until(lambda: any(one.name == "cache.set" for one in otlp.spans))
    assert lost(container, "traces") == 0


async def test_a_stop_that_is_cancelled_is_finished_by_the_next(
    container_settings: dict[str, Any], otlp: Collector
) -> None:
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    telemetry = container.telemetry()
    await telemetry.start()
    otlp.hang()
    stopping = asyncio.ensure_future(telemetry.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    otlp.release()
    await telemetry.stop()
    await telemetry.start()
    await telemetry.stop()


async def test_two_in_one_process_have_nothing_in_common(
    monkeypatch: pytest.MonkeyPatch, container_settings: dict[str, Any], otlp: Collector, tmp_path: Path
) -> None:
    """TEL-2: each has providers, measures and deliveries of its own, and a stop of one ends nothing of the other."""
    names = ("one", "two")
    containers = {}
    for name in names:
        monkeypatch.setenv("OTEL_SERVICE_NAME", name)
        values = SettingsService(**container_settings | {"data_dir": tmp_path / name})
        containers[name] = ApplicationContainer(settings=Object(values))
        containers[name].telemetry()  # which reads the variables
    async with containers["two"].running("cache"):
        async with containers["one"].running("cache"):
            await containers["one"].cache().set("key", 1)
        await containers["two"].cache().set("key", 1)
        await containers["two"].cache().set("key", 2)
    sets = [one for one in otlp.spans if one.name == "cache.set"]
    assert sorted(one.resource["service.name"] for one in sets) == ["one", "two", "two"]
    for name in names:
        measured = {one.name for one in otlp.points if one.resource["service.name"] == name}
        assert {"process.memory.usage", "bedplate_cache_hits"} <= measured


async def test_nothing_is_made_before_the_start(container_settings: dict[str, Any], otlp: Collector) -> None:
    """TEL-2: threads, queues and connections belong to the process that starts, which may have been forked since."""
    before = set(threading.enumerate())
    container = ApplicationContainer(settings=Object(SettingsService(**container_settings)))
    telemetry = container.telemetry()
    assert set(threading.enumerate()) == before
    await telemetry.start()
    names = {one.name for one in set(threading.enumerate()) - before}
    assert {"bedplate-traces", "bedplate-logs", "bedplate-metrics"} <= names
    await telemetry.stop()
    await otlp.until(lambda: otlp.requests)
    assert not {one.name for one in threading.enumerate()} & {"bedplate-traces", "bedplate-logs", "bedplate-metrics"}
