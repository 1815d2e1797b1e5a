"""Histograms that are read when they are scraped, for what is counted elsewhere on a path too hot for an instrument."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar

from bedplate.services.telemetry.labels import LabelSet

__all__ = ["Distribution", "DistributionReader", "ObservedHistogram"]


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader says of one series of a histogram.

    Attributes:
        labels: Its labels.
        counts: How many values fell into each bucket, those above the last bound at the end.
        sum: All values added up.
        exemplars: By the number of the bucket, one of its values with the trace that it belongs to.
    """

    labels: Mapping[str, str]
    counts: Sequence[int]
    sum: float
    exemplars: Mapping[int, Exemplar] = {}


DistributionReader = Callable[[], Iterable[Distribution]]


class ObservedHistogram:
    """One histogram whose values come from readers, each with series of its own.

    Args:
        description: What it measures.
        buckets: The upper bounds, without infinity.
        labels: Its declared labels.
        failed: Told of a reader's failure, which harms no other metric.
    """

    def __init__(
        self, description: str, buckets: Sequence[float], labels: LabelSet, failed: Callable[[Exception], None]
    ) -> None:
        self._description = description
        self._bounds = [*(str(float(bound)) for bound in buckets), "+Inf"]
        self._failed = failed
        self.labels = labels
        self._readers: list[DistributionReader] = []

    def add_reader(self, read: DistributionReader) -> None:
        """Add what ``read`` returns to every scrape."""
        self._readers.append(read)

    def describe(self) -> Iterable[Metric]:
        """The metric without values (protocol of prometheus-client)."""
        return [self._empty()]

    def collect(self) -> Iterable[Metric]:
        """The metric with its present values (protocol of prometheus-client)."""
        metric = self._empty()
        for read in self._readers:
            try:
                for one in read():
                    series, _ = self.labels.admit(one.labels)
                    metric.add_metric(series, self._cumulated(one), one.sum)
            except Exception as error:
                self._failed(error)
        return [metric]

    def _cumulated(self, one: Distribution) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
        totals = itertools.accumulate(one.counts)
        return [
            (bound, float(total), one.exemplars[number]) if number in one.exemplars else (bound, float(total))
            for number, (bound, total) in enumerate(zip(self._bounds, totals, strict=True))
        ]

    def _empty(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self.labels.metric, self._description, labels=self.labels.names)
