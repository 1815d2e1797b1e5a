"""Metrics that are read when they are scraped, for what is counted elsewhere on a path too hot for an instrument."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from bedplate.services.telemetry.labels import LabelSet

__all__ = ["Observation", "ObservedMetric", "Reader"]

Observation = tuple[float, Mapping[str, str]]
Reader = Callable[[], Iterable[Observation]]


class ObservedMetric:
    """One metric whose values come from readers; values under the same labels are added up.

    Args:
        family: How the metric is written: as a counter or as a gauge.
        description: What it counts.
        labels: Its declared labels.
        failed: Told of a reader's failure, which harms no other metric.
    """

    def __init__(
        self,
        family: type[CounterMetricFamily] | type[GaugeMetricFamily],
        description: str,
        labels: LabelSet,
        failed: Callable[[Exception], None],
    ) -> None:
        self._family = family
        self._description = description
        self._failed = failed
        self.labels = labels
        self._readers: list[Reader] = []

    def add_reader(self, read: Reader) -> None:
        """Add what ``read`` returns to every scrape."""
        self._readers.append(read)

    def describe(self) -> Iterable[Metric]:
        """The metric without values (protocol of prometheus-client)."""
        return [self._empty()]

    def collect(self) -> Iterable[Metric]:
        """The metric with its present values (protocol of prometheus-client)."""
        sums: dict[tuple[str, ...], float] = {}
        for read in self._readers:
            try:
                for value, labels in read():
                    series, _ = self.labels.admit(labels)
                    sums[series] = sums.get(series, 0.0) + float(value)
            except Exception as error:
                self._failed(error)
        metric = self._empty()
        for series, total in sums.items():
            metric.add_metric(series, total)
        return [metric]

    def _empty(self) -> CounterMetricFamily | GaugeMetricFamily:
        return self._family(self.labels.metric, self._description, labels=self.labels.names)
