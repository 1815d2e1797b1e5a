"""Counters, gauges and histograms behind the Meter facade."""

import threading

import pytest

from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import InvalidInputError
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import Meter, MetricError, TelemetryService


@pytest.fixture
def meter(telemetry: TelemetryService) -> Meter:
    return telemetry.meter


def lines(telemetry: TelemetryService, start: str) -> list[str]:
    return [line for line in telemetry.exposition().decode().splitlines() if line.startswith(start)]


def test_every_kind_of_metric_is_exposed(telemetry: TelemetryService, meter: Meter) -> None:
    """TEL-1: custom metrics reach /metrics."""
    meter.counter("jobs", "Jobs.", labels=("kind",)).add(2, kind="flow")
    meter.up_down_counter("open", "Open.").add(3)
    meter.up_down_counter("open", "Open.").add(-1)
    meter.gauge("depth", "Depth.").set(7.5)
    meter.histogram("wait", "Wait.", buckets=(0.1, 1)).record(0.5)
    assert lines(telemetry, "jobs_total") == ['jobs_total{kind="flow"} 2.0']
    assert lines(telemetry, "open") == ["open 2.0"]
    assert lines(telemetry, "depth") == ["depth 7.5"]
    assert 'wait_bucket{le="1.0"} 1.0' in lines(telemetry, "wait")
    assert 'wait_bucket{le="0.1"} 0.0' in lines(telemetry, "wait")


def test_process_metrics_are_exposed(telemetry: TelemetryService) -> None:
    """TEL-1: memory, file descriptors, collections and the Python version, on a registry of our own."""
    text = telemetry.exposition().decode()
    for name in ("process_resident_memory_bytes", "process_open_fds", "python_info", "python_gc_collections_total"):
        assert f"\n{name}" in text
    assert telemetry.exposition_type.startswith("text/plain; version=0.0.4")


def test_the_same_name_and_labels_give_the_same_instrument(meter: Meter) -> None:
    first = meter.counter("jobs", "Jobs.", labels=("kind", "state"))
    assert meter.counter("jobs", "Jobs.", labels=("kind", "state")) is first
    assert meter.counter("jobs_total", "Jobs.", labels=("kind", "state")) is first


def test_other_labels_are_refused_naming_both(meter: Meter) -> None:
    meter.counter("jobs", "Jobs.", labels=("kind",))
    with pytest.raises(ValueError, match=r"counter with labels \(kind\).*counter with labels \(state\)"):
        meter.counter("jobs", "Jobs.", labels=("state",))


def test_another_kind_is_refused_naming_both(meter: Meter) -> None:
    meter.counter("jobs", "Jobs.")
    with pytest.raises(MetricError, match=r"already counter .* asked for as gauge"):
        meter.gauge("jobs", "Jobs.")


def test_other_buckets_are_refused(meter: Meter) -> None:
    meter.histogram("wait", "Wait.", buckets=(1, 2))
    with pytest.raises(MetricError, match="buckets"):
        meter.histogram("wait", "Wait.", buckets=(1, 3))


@pytest.mark.parametrize("name", ["", "no spaces", "9lives", "wait_sum"])
def test_an_impossible_name_is_refused(meter: Meter, name: str) -> None:
    meter.histogram("wait", "Wait.")
    with pytest.raises(MetricError, match=f"{name!r} cannot be made"):
        meter.counter(name, "Something.")


@pytest.mark.parametrize("label", ["", "a b", "__name__", "a-b", "le"])
def test_an_impossible_label_is_refused(meter: Meter, label: str) -> None:
    with pytest.raises(MetricError, match="'wait' cannot be made"):
        meter.histogram("wait", "Wait.", labels=(label,))


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ({}, "without kind"),
        ({"kind": "a", "flow": "b"}, "with undeclared flow"),
        ({"flow": "b"}, "without kind and with undeclared flow"),
    ],
)
def test_missing_and_undeclared_labels_are_refused(meter: Meter, labels: dict[str, str], complaint: str) -> None:
    """TEL-1: labels are declared; a mistake is an error that names metric and label."""
    counter = meter.counter("jobs", "Jobs.", labels=("kind",))
    with pytest.raises(ValueError, match=rf"'jobs' was used {complaint}.*give exactly the labels kind") as caught:
        counter.add(1, **labels)
    assert isinstance(caught.value, InvalidInputError)


def test_labels_on_a_metric_without_labels_are_refused(meter: Meter) -> None:
    with pytest.raises(MetricError, match="undeclared kind"):
        meter.gauge("depth", "Depth.").set(1, kind="a")


@pytest.mark.parametrize("amount", [-1, float("nan")])
def test_a_counter_refuses_what_would_spoil_it(telemetry: TelemetryService, meter: Meter, amount: float) -> None:
    counter = meter.counter("jobs", "Jobs.")
    counter.add(1)
    with pytest.raises(MetricError, match="cannot grow"):
        counter.add(amount)
    assert lines(telemetry, "jobs_total") == ["jobs_total 1.0"]


def test_no_instrument_takes_nan_into_a_sum(meter: Meter) -> None:
    with pytest.raises(MetricError, match="NaN"):
        meter.histogram("wait", "Wait.").record(float("nan"))
    with pytest.raises(MetricError, match="NaN"):
        meter.up_down_counter("open", "Open.").add(float("nan"))


class TestBoundedLabels:
    """TEL-1: what a caller sends cannot make metrics grow without end."""

    @pytest.fixture
    def telemetry(self, redactor: Redactor) -> TelemetryService:
        small = SettingsService(telemetry={"max_label_values": 3, "max_series": 5})
        return TelemetryService(small, redactor)

    def test_further_values_are_counted_as_other(self, telemetry: TelemetryService, meter: Meter) -> None:
        counter = meter.counter("calls", "Calls.", labels=("user",))
        for number in range(10):
            counter.add(1, user=f"u{number}")
        assert lines(telemetry, "calls_total") == [
            'calls_total{user="u0"} 1.0',
            'calls_total{user="u1"} 1.0',
            'calls_total{user="u2"} 1.0',
            'calls_total{user="other"} 7.0',
        ]
        assert lines(telemetry, "bedplate_telemetry_label_overflows_total") == [
            'bedplate_telemetry_label_overflows_total{metric="calls"} 7.0'
        ]

    def test_a_known_value_keeps_its_series_after_an_overflow(self, telemetry: TelemetryService, meter: Meter) -> None:
        counter = meter.counter("calls", "Calls.", labels=("user",))
        for number in (0, 1, 2, 3, 0):
            counter.add(1, user=f"u{number}")
        assert 'calls_total{user="u0"} 2.0' in lines(telemetry, "calls_total")

    def test_combinations_are_bounded_too(self, telemetry: TelemetryService, meter: Meter) -> None:
        counter = meter.counter("calls", "Calls.", labels=("a", "b"))
        for a in "xyz":
            for b in "xyz":
                counter.add(1, a=a, b=b)
        series = lines(telemetry, "calls_total")
        assert len(series) == 6
        assert 'calls_total{a="other",b="other"} 4.0' in series

    def test_values_that_do_not_fit_are_not_remembered(self, meter: Meter) -> None:
        counter = meter.counter("calls", "Calls.", labels=("user",))
        for number in range(1_000):
            counter.add(1, user=f"u{number}")
        assert len(counter._children) == 3


@pytest.mark.parametrize("value", ["\ud800", "a\nb", 'quote"', "x" * 10_000, 7, ["unhashable"]])
def test_a_malformed_label_value_does_not_spoil_the_exposition(
    telemetry: TelemetryService, meter: Meter, value: object
) -> None:
    """TEL-1: one malformed item takes nothing else down."""
    meter.counter("calls", "Calls.", labels=("user",)).add(1, user=value)  # type: ignore[arg-type]
    meter.counter("others", "Others.").add(1)
    assert lines(telemetry, "others_total") == ["others_total 1.0"]
    assert max(len(line) for line in lines(telemetry, "calls_total")) < 200


def test_label_order_and_equal_looking_values_do_not_matter(telemetry: TelemetryService, meter: Meter) -> None:
    counter = meter.counter("calls", "Calls.", labels=("a", "b"))
    counter.add(1, a="1", b="2")
    counter.add(1, b="2", a="1")
    counter.add(1, a=True, b="2")  # type: ignore[arg-type]
    counter.add(1, a=1, b="2")  # type: ignore[arg-type]
    assert lines(telemetry, "calls_total") == [
        'calls_total{a="1",b="2"} 3.0',
        'calls_total{a="True",b="2"} 1.0',
    ]


def test_instruments_count_right_from_many_threads(telemetry: TelemetryService, meter: Meter) -> None:
    def work() -> None:
        for number in range(500):
            meter.counter("calls", "Calls.", labels=("n",)).add(1, n=str(number % 7))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(float(line.split()[-1]) for line in lines(telemetry, "calls_total"))
    assert total == 4_000


class TestObserved:
    """Counts that are kept elsewhere are read at each scrape."""

    def test_values_are_read_at_each_scrape(self, telemetry: TelemetryService, meter: Meter) -> None:
        hits = {"a": 1.0}
        meter.observe_counter("hits", "Hits.", lambda: [(n, {"ns": k}) for k, n in hits.items()], labels=("ns",))
        meter.observe_gauge("size", "Size.", lambda: [(len(hits), {})])
        assert lines(telemetry, "hits_total") == ['hits_total{ns="a"} 1.0']
        hits["b"] = 5
        assert lines(telemetry, "hits_total") == ['hits_total{ns="a"} 1.0', 'hits_total{ns="b"} 5.0']
        assert lines(telemetry, "size") == ["size 2.0"]

    def test_two_readers_are_added_up(self, telemetry: TelemetryService, meter: Meter) -> None:
        meter.observe_gauge("size", "Size.", lambda: [(2, {})])
        meter.observe_gauge("size", "Size.", lambda: [(3, {})])
        assert lines(telemetry, "size") == ["size 5.0"]

    def test_a_failing_reader_takes_nothing_else_down(
        self, telemetry: TelemetryService, meter: Meter, caplog: pytest.LogCaptureFixture
    ) -> None:
        """TEL-1: a failing source of a metric is counted and named, and every other metric is still exposed."""

        def broken() -> list[tuple[float, dict[str, str]]]:
            raise RuntimeError("gone")

        meter.observe_gauge("size", "Size.", broken)
        meter.observe_gauge("size", "Size.", lambda: [(3, {})])
        meter.gauge("depth", "Depth.").set(1)
        assert lines(telemetry, "size") == ["size 3.0"]
        assert lines(telemetry, "depth") == ["depth 1.0"]
        assert 'bedplate_telemetry_failed_reads_total{metric="size"} 2.0' in telemetry.exposition().decode()
        assert "metric=size" in caplog.text

    def test_a_name_belongs_to_one_kind(self, meter: Meter) -> None:
        meter.gauge("size", "Size.")
        with pytest.raises(MetricError, match="observed gauge"):
            meter.observe_gauge("size", "Size.", lambda: [(3, {})])
