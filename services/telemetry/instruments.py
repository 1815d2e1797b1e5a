"""The instruments: counter, up-down counter, gauge and histogram, with declared labels."""

from typing import Any, ClassVar, Generic, TypeVar

from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge as PrometheusGauge
from prometheus_client import Histogram as PrometheusHistogram
from prometheus_client.metrics import MetricWrapperBase

from bedplate.services.telemetry.errors import MetricError
from bedplate.services.telemetry.labels import LabelSet

__all__ = ["Counter", "Gauge", "Histogram", "Instrument", "UpDownCounter"]

F = TypeVar("F", bound=MetricWrapperBase)


class Instrument(Generic[F]):
    """What the four have in common: labels, resolved once for each combination of values.

    Attributes:
        kind: What it is called in errors.
        labels: Its declared labels.
    """

    kind: ClassVar[str]

    def __init__(self, family: F, labels: LabelSet) -> None:
        self._family = family
        self.labels = labels
        # By the items as the caller writes them. Values that did not fit are not kept: they may be any number.
        self._children: dict[tuple[tuple[str, Any], ...], F] = {} if labels.names else {(): family}

    def _child(self, labels: dict[str, Any]) -> F:
        key = tuple(labels.items())
        try:
            return self._children[key]
        except (KeyError, TypeError):  # TypeError: an unhashable value, counted by its text like any other object
            values, own = self.labels.admit(labels)
        child = self._family.labels(*values)
        if own and all(isinstance(value, str) for value in labels.values()):
            self._children[key] = child
        return child

    def _refuse(self, why: str, fix: str) -> MetricError:
        return MetricError(f"the {self.kind} {self.labels.metric!r} {why}", fix=fix)


class Counter(Instrument[PrometheusCounter]):
    """A sum that only grows."""

    kind = "counter"

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add ``amount``, which is not negative.

        Raises:
            MetricError: The amount is negative or no number, or the labels are not the declared ones.
        """
        if not amount >= 0:
            raise self._refuse(f"cannot grow by {amount}", "use an up-down counter for what also shrinks")
        self._child(labels).inc(amount)


class UpDownCounter(Instrument[PrometheusGauge]):
    """A sum that grows and shrinks."""

    kind = "up-down counter"

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add ``amount``, which may be negative.

        Raises:
            MetricError: The amount is no number, or the labels are not the declared ones.
        """
        if amount != amount:
            raise self._refuse("cannot change by NaN", "add a number")
        self._child(labels).inc(amount)


class Gauge(Instrument[PrometheusGauge]):
    """The last of a series of values."""

    kind = "gauge"

    def set(self, value: float, **labels: str) -> None:
        """Replace the value.

        Raises:
            MetricError: The labels are not the declared ones.
        """
        self._child(labels).set(value)


class Histogram(Instrument[PrometheusHistogram]):
    """The distribution of a series of values."""

    kind = "histogram"

    def record(self, value: float, **labels: str) -> None:
        """Record one value.

        Raises:
            MetricError: The value is no number, or the labels are not the declared ones.
        """
        if value != value:
            raise self._refuse("cannot record NaN", "record a number")
        self._child(labels).observe(value)
