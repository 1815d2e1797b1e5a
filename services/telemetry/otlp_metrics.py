"""Metrics between the two registries: Bedplate's own as OpenTelemetry's, and those of OpenTelemetry for Prometheus."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.sdk.metrics import Exemplar as OtelExemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as PrometheusMetric
from prometheus_client.samples import Exemplar, Sample

__all__ = ["OtelCollector", "own_metrics", "together"]

_UNITS = {"seconds": "s", "bytes": "By"}
_SUFFIXES = {"s": "seconds", "By": "bytes", "ms": "milliseconds", "1": "ratio"}
_CUMULATIVE = AggregationTemporality.CUMULATIVE
_Labels = tuple[tuple[str, str], ...]


def own_metrics(registry: CollectorRegistry, since: int) -> ScopeMetrics:
    """What a registry of prometheus-client holds, under the same names but for the ``_total`` of counters.

    Args:
        registry: The registry.
        since: When they began to count, in nanoseconds since the epoch.
    """
    now = time.time_ns()
    metrics = [metric for family in registry.collect() if (metric := _metric(family, since, now)) is not None]
    return ScopeMetrics(scope=InstrumentationScope("bedplate"), metrics=metrics, schema_url="")


def together(measured: MetricsData | None, own: ScopeMetrics, resource: Resource) -> MetricsData:
    """What a provider has measured, and Bedplate's own metrics, as those of one resource."""
    scopes = [scope for group in (measured.resource_metrics if measured else ()) for scope in group.scope_metrics]
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[*scopes, own], schema_url="")])


def _metric(family: PrometheusMetric, since: int, now: int) -> Metric | None:
    data: Sum | Gauge | Histogram
    if family.type == "counter":
        points = [_number(one, since, now) for one in family.samples if one.name.endswith("_total")]
        data = Sum(data_points=points, aggregation_temporality=_CUMULATIVE, is_monotonic=True)
    elif family.type == "gauge":
        data = Gauge(data_points=[_number(one, since, now) for one in family.samples])
    elif family.type == "histogram":
        data = Histogram(data_points=list(_distributions(family, since, now)), aggregation_temporality=_CUMULATIVE)
    else:
        return None
    unit = _UNITS.get(family.name.rpartition("_")[2], "")
    return (
        Metric(name=family.name, description=family.documentation, unit=unit, data=data) if data.data_points else None
    )


def _number(sample: Sample, since: int, now: int) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=sample.labels,
        start_time_unix_nano=since,
        time_unix_nano=now,
        value=sample.value,
        exemplars=[_exemplar(sample.exemplar)] if sample.exemplar else [],
    )


def _distributions(family: PrometheusMetric, since: int, now: int) -> Iterator[HistogramDataPoint]:
    series: dict[_Labels, list[Sample]] = {}
    for sample in family.samples:
        labels = tuple((name, text) for name, text in sample.labels.items() if name != "le")
        series.setdefault(labels, []).append(sample)
    for labels, samples in series.items():
        buckets = [one for one in samples if one.name.endswith("_bucket")]
        totals = [int(one.value) for one in buckets]
        yield HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=since,
            time_unix_nano=now,
            count=totals[-1],
            sum=next((one.value for one in samples if one.name.endswith("_sum")), 0.0),
            bucket_counts=[total - before for total, before in zip(totals, [0, *totals], strict=False)],
            explicit_bounds=[float(one.labels["le"]) for one in buckets[:-1]],
            min=None,  # type: ignore[arg-type]  # left out of the message, as nobody knows
            max=None,  # type: ignore[arg-type]  # the same
            exemplars=[_exemplar(one.exemplar) for one in buckets if one.exemplar],
        )


def _exemplar(exemplar: Exemplar) -> OtelExemplar:
    return OtelExemplar(
        filtered_attributes={},
        value=exemplar.value,
        time_unix_nano=int(float(exemplar.timestamp or time.time()) * 1e9),
        trace_id=int(exemplar.labels["trace_id"], 16),
        span_id=int(exemplar.labels["span_id"], 16),
    )


class OtelCollector:
    """What a meter provider of OpenTelemetry has measured, as families of prometheus-client.

    Names are those of the specification of both: ``http.server.request.duration`` in seconds is
    ``http_server_request_duration_seconds``.
    """

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def collect(self) -> Iterable[PrometheusMetric]:
        """The metrics now (protocol of prometheus-client); of two with one name the first."""
        data: MetricsData | None = self._reader.get_metrics_data()
        families: dict[str, PrometheusMetric] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    family = _family(metric)
                    if family is not None:
                        families.setdefault(family.name, family)
        return families.values()


def _family(metric: Metric) -> PrometheusMetric | None:
    data, text = metric.data, metric.description or metric.name
    name = _name(metric)
    if isinstance(data, Histogram):
        histogram = HistogramMetricFamily(name, text)
        for point in data.data_points:
            _add_distribution(histogram, name, point)
        return histogram
    if not isinstance(data, Sum | Gauge):
        return None
    counter = isinstance(data, Sum) and data.is_monotonic
    family = CounterMetricFamily(name, text) if counter else GaugeMetricFamily(name, text)
    for number in data.data_points:
        family.add_sample(f"{family.name}_total" if counter else name, _labels(number.attributes), number.value)
    return family


def _add_distribution(family: HistogramMetricFamily, name: str, point: HistogramDataPoint) -> None:
    labels, total = _labels(point.attributes), 0
    bounds = [*(str(float(bound)) for bound in point.explicit_bounds), "+Inf"]
    for number, (bound, count) in enumerate(zip(bounds, point.bucket_counts, strict=True)):
        total += count
        upper = point.explicit_bounds[number] if number < len(point.explicit_bounds) else float("inf")
        lower = point.explicit_bounds[number - 1] if number else float("-inf")
        found = next((one for one in point.exemplars if lower < one.value <= upper and one.trace_id), None)
        shown = _shown(found) if found else None
        family.add_sample(f"{name}_bucket", {**labels, "le": bound}, total, exemplar=shown)
    family.add_sample(f"{name}_count", labels, point.count)
    family.add_sample(f"{name}_sum", labels, point.sum)


def _shown(exemplar: OtelExemplar) -> Exemplar:
    ids = {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id:016x}"}
    return Exemplar(ids, exemplar.value, exemplar.time_unix_nano / 1e9)


def _name(metric: Metric) -> str:
    name = re.sub(r"[^a-zA-Z0-9_:]+", "_", metric.name)
    suffix = _SUFFIXES.get(metric.unit or "")
    if suffix == "ratio" and not isinstance(metric.data, Gauge):
        suffix = None
    return name if suffix is None or name.endswith(f"_{suffix}") else f"{name}_{suffix}"


def _labels(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    return {re.sub(r"[^a-zA-Z0-9_]", "_", key): str(value) for key, value in sorted((attributes or {}).items())}
