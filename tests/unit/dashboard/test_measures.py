"""What the charts show."""

import pytest
from prometheus_client import CollectorRegistry, Histogram

from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.http.dashboard.measures import READ, Reading, sample
from bedplate.wiring.http.measuring import REQUESTS


def _requests(registry: CollectorRegistry) -> Histogram:
    return Histogram(REQUESTS, "Requests.", ("method", "status"), registry=registry, buckets=(0.1, 0.2, 0.4))


def test_rates_and_quantiles_are_those_between_two_readings() -> None:
    registry = CollectorRegistry()
    requests = _requests(registry)
    requests.labels("GET", "200").observe(30)  # long ago
    before = Reading.of(10.0, registry.collect(), ())
    for _ in range(9):
        requests.labels("GET", "200").observe(0.15)
    requests.labels("GET", "503").observe(0.3)
    values = sample(before, Reading.of(12.0, registry.collect(), ()))
    assert values["requests"] == 5.0
    assert values["failures"] == 0.5
    assert values["p50"] == pytest.approx(100 + 100 * 5 / 9)
    assert values["p95"] == pytest.approx(200 + 200 * 0.5)


def test_what_is_longer_than_every_bucket_is_as_long_as_the_last() -> None:
    registry = CollectorRegistry()
    requests = _requests(registry)
    before = Reading.of(0.0, registry.collect(), ())
    requests.labels("GET", "200").observe(30)
    assert sample(before, Reading.of(1.0, registry.collect(), ()))["p50"] == pytest.approx(400)


def test_without_requests_there_is_nothing_to_show_but_zeros() -> None:
    registry = CollectorRegistry()
    _requests(registry).labels("GET", "200").observe(0.1)
    reading = Reading.of(0.0, registry.collect(), ())
    values = sample(reading, reading)
    assert (values["requests"], values["p50"], values["hits"]) == (0.0, None, None)
    assert sample(Reading.of(0.0, (), ()), Reading.of(1.0, (), ()))["requests"] is None


def test_hits_are_a_share_of_lookups_and_gauges_are_as_they_are(telemetry: TelemetryService) -> None:
    counts = {"hits": 0.0, "misses": 0.0}
    for name in counts:
        telemetry.meter.observe_counter(
            f"bedplate_cache_{name}", "…", lambda name=name: [(counts[name], {"namespace": "a"})], labels=("namespace",)
        )
    telemetry.meter.observe_gauge("bedplate_job_queue_running", "…", lambda: [(3, {})])
    before = Reading.of(0.0, telemetry.metrics(*READ), ())
    counts.update(hits=3, misses=1)
    values = sample(before, Reading.of(1.0, telemetry.metrics(*READ), ()))
    assert (values["hits"], values["jobs"]) == (0.75, 3)


def test_only_what_is_asked_for_is_read(telemetry: TelemetryService) -> None:
    """Reading all metrics every second would cost more than what is looked at."""
    telemetry.meter.observe_gauge("bedplate_slow", "…", lambda: pytest.fail("it was read"))
    telemetry.meter.observe_gauge("bedplate_quick", "…", lambda: [(1, {})])
    assert [metric.name for metric in telemetry.metrics("bedplate_quick")] == ["bedplate_quick"]
