"""The one door to metrics: makes instruments, each once."""

import functools
import re
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client import Histogram as PrometheusHistogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from bedplate.services.logs import get_logger
from bedplate.services.telemetry.errors import MetricError
from bedplate.services.telemetry.instruments import Counter, Gauge, Histogram, Instrument, UpDownCounter
from bedplate.services.telemetry.labels import LabelSet
from bedplate.services.telemetry.observed import ObservedMetric, Reader
from bedplate.services.telemetry.observed_histogram import DistributionReader, ObservedHistogram

__all__ = ["Meter"]

_log = get_logger("bedplate.telemetry")

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")

I = TypeVar("I", bound=Instrument[Any])  # noqa: E741 - the usual letter


class Meter:
    """Makes instruments; asking twice for the same name and labels gives the same instrument.

    Args:
        registry: Where the instruments are collected.
        max_label_values: Most values of one label of one metric.
        max_series: Most combinations of label values of one metric.

    Raises:
        MetricError: By each method: the name is taken by another kind or with other labels, or is not a valid one
            (Prometheus data model: ``[a-zA-Z_:][a-zA-Z0-9_:]*``, labels without the colon).
    """

    def __init__(self, registry: CollectorRegistry, *, max_label_values: int = 100, max_series: int = 1_000) -> None:
        self._registry = registry
        self._max_label_values = max_label_values
        self._max_series = max_series
        self._made: dict[str, tuple[tuple[object, ...], Any]] = {}
        self._lock = threading.RLock()
        self._overflows = self.counter(
            "bedplate_telemetry_label_overflows", "Label values counted as other, by metric.", labels=("metric",)
        )
        self._failed_reads = self.counter(
            "bedplate_telemetry_failed_reads", "Metrics that could not be read for a scrape.", labels=("metric",)
        )

    def counter(self, name: str, description: str, *, labels: Sequence[str] = ()) -> Counter:
        """A sum that only grows; exposed as ``<name>_total``."""
        name = name.removesuffix("_total")
        return self._instrument(
            Counter, name, labels, lambda names: PrometheusCounter(name, description, names, registry=self._registry)
        )

    def up_down_counter(self, name: str, description: str, *, labels: Sequence[str] = ()) -> UpDownCounter:
        """A sum that grows and shrinks."""
        return self._instrument(
            UpDownCounter,
            name,
            labels,
            lambda names: PrometheusGauge(name, description, names, registry=self._registry),
        )

    def gauge(self, name: str, description: str, *, labels: Sequence[str] = ()) -> Gauge:
        """The last of a series of values."""
        return self._instrument(Gauge, name, labels, self._gauge_maker(name, description))

    def histogram(
        self,
        name: str,
        description: str,
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = PrometheusHistogram.DEFAULT_BUCKETS,
    ) -> Histogram:
        """The distribution of a series of values; ``buckets`` are upper bounds, in the unit of the values."""
        return self._instrument(
            Histogram,
            name,
            labels,
            lambda names: PrometheusHistogram(name, description, names, buckets=buckets, registry=self._registry),
            tuple(float(bound) for bound in buckets),
        )

    def observe_counter(
        self, name: str, description: str, read: Reader, *, labels: Sequence[str] = (), limited: bool = True
    ) -> None:
        """A counter that is kept elsewhere: ``read`` returns (value, labels) pairs at each scrape, which only grow.

        ``limited=False`` takes the limits of label values away, where all of them are written down in code.
        """
        name = name.removesuffix("_total")
        self._observe("observed counter", CounterMetricFamily, name, description, read, labels, limited=limited)

    def observe_gauge(self, name: str, description: str, read: Reader, *, labels: Sequence[str] = ()) -> None:
        """A gauge that is kept elsewhere: ``read`` returns (value, labels) pairs at each scrape."""
        self._observe("observed gauge", GaugeMetricFamily, name, description, read, labels)

    def observe_histogram(
        self,
        name: str,
        description: str,
        read: DistributionReader,
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float],
        limited: bool = True,
    ) -> None:
        """A histogram that is kept elsewhere: ``read`` returns the distributions at each scrape, each of one series.

        ``buckets`` are the upper bounds of what it counts; ``limited`` is as in :meth:`observe_counter`.
        """
        names = tuple(labels)

        def make() -> ObservedHistogram:
            checked = self._labels(name, names, limited=limited)
            metric = ObservedHistogram(description, buckets, checked, functools.partial(self._note_failed_read, name))
            self._registry.register(metric)
            return metric

        self._once(("observed histogram", names, tuple(buckets)), name, make).add_reader(read)

    def _gauge_maker(self, name: str, description: str) -> Callable[[tuple[str, ...]], PrometheusGauge]:
        return lambda names: PrometheusGauge(name, description, names, registry=self._registry)

    def _instrument(
        self,
        kind: type[I],
        name: str,
        labels: Sequence[str],
        make: Callable[[tuple[str, ...]], Any],
        buckets: tuple[float, ...] = (),
    ) -> I:
        names = tuple(labels)

        def made() -> I:
            checked = self._labels(name, names)
            return kind(make(names), checked)

        return cast("I", self._once((kind.kind, names, buckets), name, made))

    def _observe(
        self,
        kind: str,
        family: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        description: str,
        read: Reader,
        labels: Sequence[str],
        *,
        limited: bool = True,
    ) -> None:
        names = tuple(labels)

        def make() -> ObservedMetric:
            checked = self._labels(name, names, limited=limited)
            metric = ObservedMetric(family, description, checked, functools.partial(self._note_failed_read, name))
            self._registry.register(metric)
            return metric

        self._once((kind, names, ()), name, make).add_reader(read)

    def _note_failed_read(self, name: str, error: Exception) -> None:
        self._failed_reads.add(1, metric=name)
        _log.warning("a metric could not be read", metric=name, error=error)

    def _once(self, declared: tuple[object, ...], name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._made:
                try:
                    self._made[name] = (declared, make())
                except ValueError as error:
                    raise MetricError(f"the metric {name!r} cannot be made: {error}", fix="rename it") from error
            earlier, made = self._made[name]
        if earlier != declared:
            raise MetricError(
                f"the metric {name!r} is already {_described(*earlier)}, and was asked for as {_described(*declared)}",
                fix="declare it alike everywhere, or give one of the two another name",
            )
        return made

    def _labels(self, name: str, names: tuple[str, ...], *, limited: bool = True) -> LabelSet:
        wrong = [text for text in names if not _LABEL.fullmatch(text)]
        if wrong or not _NAME.fullmatch(name):
            raise ValueError(f"invalid {f'label {wrong[0]!r}' if wrong else 'name'}")

        def overflowed() -> None:
            self._overflows.add(1, metric=name)

        return LabelSet(
            name,
            names,
            max_values=self._max_label_values if limited else sys.maxsize,
            max_series=self._max_series if limited else sys.maxsize,
            overflowed=overflowed,
        )


def _described(kind: object, labels: object, buckets: object) -> str:
    names = f"labels ({', '.join(cast('tuple[str, ...]', labels))})" if labels else "no labels"
    return f"{kind} with {names}" + (f" and buckets {buckets}" if buckets else "")
