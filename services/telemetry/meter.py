"""Metrics: instruments with declared labels behind one facade."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client import Histogram as PrometheusHistogram

__all__ = ["Counter", "Gauge", "Histogram", "Meter", "UpDownCounter"]


class Counter:
    """A sum that only grows."""

    def __init__(self, instrument: PrometheusCounter) -> None:
        self._instrument = instrument

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add ``amount``, which is not negative."""
        (self._instrument.labels(**labels) if labels else self._instrument).inc(amount)


class UpDownCounter:
    """A sum that grows and shrinks."""

    def __init__(self, instrument: PrometheusGauge) -> None:
        self._instrument = instrument

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add ``amount``, which may be negative."""
        (self._instrument.labels(**labels) if labels else self._instrument).inc(amount)


class Gauge:
    """The last of a series of values."""

    def __init__(self, instrument: PrometheusGauge) -> None:
        self._instrument = instrument

    def set(self, value: float, **labels: str) -> None:
        """Replace the value."""
        (self._instrument.labels(**labels) if labels else self._instrument).set(value)


class Histogram:
    """The distribution of a series of values."""

    def __init__(self, instrument: PrometheusHistogram) -> None:
        self._instrument = instrument

    def record(self, value: float, **labels: str) -> None:
        """Record one value."""
        (self._instrument.labels(**labels) if labels else self._instrument).observe(value)


class Meter:
    """Makes instruments; asking twice for the same name and labels gives the same instrument."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, description: str, *, labels: Sequence[str] = ()) -> Counter:
        """Make a counter."""
        return Counter(PrometheusCounter(name, description, labels, registry=self._registry))

    def up_down_counter(self, name: str, description: str, *, labels: Sequence[str] = ()) -> UpDownCounter:
        """Make an up-down counter."""
        return UpDownCounter(PrometheusGauge(name, description, labels, registry=self._registry))

    def gauge(self, name: str, description: str, *, labels: Sequence[str] = ()) -> Gauge:
        """Make a gauge."""
        return Gauge(PrometheusGauge(name, description, labels, registry=self._registry))

    def histogram(
        self,
        name: str,
        description: str,
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = PrometheusHistogram.DEFAULT_BUCKETS,
    ) -> Histogram:
        """Make a histogram; ``buckets`` are upper bounds."""
        return Histogram(PrometheusHistogram(name, description, labels, buckets=buckets, registry=self._registry))
