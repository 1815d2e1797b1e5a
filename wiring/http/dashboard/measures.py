"""What the charts show, from the metrics that the services keep anyway."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from bedplate.services.telemetry import OperationStats
from bedplate.wiring.http.measuring import REQUESTS

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ["CHARTS", "READ", "Chart", "Reading", "Series", "sample"]


class Series(msgspec.Struct, frozen=True):
    """A line of a chart."""

    key: str
    label: str


class Chart(msgspec.Struct, frozen=True):
    """One chart.

    Attributes:
        key: Its name in pages.
        title: What it shows.
        unit: How its values are written: ``rate``, ``ms``, ``count`` or ``share``.
        lines: Its lines.
    """

    key: str
    title: str
    unit: str
    lines: Sequence[Series]


CHARTS: Sequence[Chart] = (
    Chart("requests", "Requests", "rate", (Series("requests", "answered"), Series("failures", "failed"))),
    Chart("latency", "Request latency", "ms", (Series("p50", "p50"), Series("p95", "p95"))),
    Chart("operations", "Service operations", "rate", (Series("operations", "ended"), Series("errors", "failed"))),
    Chart("jobs", "Jobs", "count", (Series("jobs", "running"),)),
    Chart("queue", "Task queue", "count", (Series("queued", "waiting"), Series("tasks", "running"))),
    Chart("cache", "Cache hits", "share", (Series("hits", "of lookups"),)),
    Chart("pool", "Database connections", "count", (Series("readers", "reading"), Series("writers", "writing"))),
    Chart("lag", "Event-loop lag", "ms", (Series("lag", "longest"),)),
)

_GAUGES = {
    "jobs": "bedplate_job_queue_running",
    "queued": "bedplate_task_queued",
    "tasks": "bedplate_task_running",
    "readers": "bedplate_database_readers",
    "writers": "bedplate_database_writers",
}


READ = (
    f"{REQUESTS}_count",
    f"{REQUESTS}_bucket",
    "bedplate_cache_hits_total",
    "bedplate_cache_misses_total",
    *_GAUGES.values(),
)
"""The metrics that are looked at."""


class Reading(msgspec.Struct, frozen=True):
    """The metrics at one moment.

    Attributes:
        at: The moment, in seconds.
        totals: Sums that only grow, by name.
        gauges: Values of now, by name.
        buckets: How many requests there ever were that took no longer than a bound in seconds.
    """

    at: float
    totals: Mapping[str, float]
    gauges: Mapping[str, float]
    buckets: Mapping[float, float]

    @classmethod
    def of(cls, at: float, metrics: "Iterable[Metric]", operations: Iterable[OperationStats]) -> "Reading":
        """What the charts need of metrics and operations."""
        totals: dict[str, float] = {"operations": 0, "errors": 0}
        for operation in operations:
            totals["operations"] += operation.calls
            totals["errors"] += operation.errors
        gauges: dict[str, float] = {}
        buckets: dict[float, float] = {}
        wanted = {name: key for key, name in _GAUGES.items()}
        for metric in metrics:
            if metric.name == REQUESTS:
                _requests(metric, totals, buckets)
            elif metric.name in ("bedplate_cache_hits", "bedplate_cache_misses"):
                key = metric.name.rpartition("_")[2]
                totals[key] = sum(one.value for one in metric.samples if one.name.endswith("_total"))
            elif metric.name in wanted:
                gauges[wanted[metric.name]] = sum(one.value for one in metric.samples)
        return cls(at, totals, gauges, buckets)


def _requests(metric: "Metric", totals: dict[str, float], buckets: dict[float, float]) -> None:
    for one in metric.samples:
        if one.name.endswith("_count"):
            totals["requests"] = totals.get("requests", 0) + one.value
            if one.labels["status"].startswith("5"):
                totals["failures"] = totals.get("failures", 0) + one.value
        elif one.name.endswith("_bucket"):
            bound = float(one.labels["le"])
            buckets[bound] = buckets.get(bound, 0) + one.value


def sample(before: Reading, now: Reading) -> dict[str, float | None]:
    """The values of all lines between two readings; None for what cannot be told."""
    seconds = max(now.at - before.at, 1e-3)

    def grown(key: str) -> float | None:
        if key not in now.totals:
            return None
        return max(0.0, now.totals[key] - before.totals.get(key, 0.0))

    hits, misses = grown("hits") or 0.0, grown("misses") or 0.0
    requests = grown("requests")
    values: dict[str, float | None] = dict(now.gauges)
    values["requests"] = None if requests is None else requests / seconds
    values["operations"], values["errors"] = (grown("operations") or 0) / seconds, (grown("errors") or 0) / seconds
    values["failures"] = None if requests is None else (grown("failures") or 0.0) / seconds
    values["p50"] = _quantile(before.buckets, now.buckets, 0.50)
    values["p95"] = _quantile(before.buckets, now.buckets, 0.95)
    values["hits"] = hits / (hits + misses) if hits + misses else None
    return {key: values.get(key) for key in (line.key for chart in CHARTS for line in chart.lines)}


def _quantile(before: Mapping[float, float], now: Mapping[float, float], share: float) -> float | None:
    """A quantile in milliseconds, interpolated within its bucket as Prometheus does it."""
    bounds = sorted(now)
    counts = [now[bound] - before.get(bound, 0.0) for bound in bounds]
    if not counts or counts[-1] <= 0:
        return None
    rank = share * counts[-1]
    lower_bound, below = 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= rank:
            if math.isinf(bound):
                return lower_bound * 1e3
            return (lower_bound + (bound - lower_bound) * (rank - below) / max(count - below, 1e-9)) * 1e3
        lower_bound, below = bound, count
    return lower_bound * 1e3
