"""Label values: checked, cleaned and bounded, so that no caller's data can make metrics grow without end."""

import threading
from collections.abc import Callable, Mapping

from bedplate.services.telemetry.errors import MetricError

__all__ = ["OTHER", "LabelSet"]

OTHER = "other"
MAX_VALUE_LENGTH = 128


class LabelSet:
    """The labels of one metric and the values that they have had.

    Args:
        metric: The metric's name, for errors.
        names: The declared label names.
        max_values: Most values of one label; a further one becomes ``"other"``.
        max_series: Most combinations; a further one becomes ``"other"`` in every label.
        overflowed: Called once for each use of a value that did not fit.
    """

    def __init__(
        self,
        metric: str,
        names: tuple[str, ...],
        *,
        max_values: int,
        max_series: int,
        overflowed: Callable[[], None] = lambda: None,
    ) -> None:
        self.metric = metric
        self.names = names
        self._max_values = max_values
        self._max_series = max_series
        self._overflowed = overflowed
        self._seen: list[set[str]] = [set() for _ in names]
        self._series: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def admit(self, labels: Mapping[str, object]) -> tuple[tuple[str, ...], bool]:
        """The values to count under, in declared order, and whether they are the caller's own.

        Raises:
            MetricError: A label is missing or was not declared.
        """
        wanted = self._values(labels)
        with self._lock:
            values = self._fit(wanted)
        if values != wanted:
            self._overflowed()
        return values, values == wanted

    def _values(self, labels: Mapping[str, object]) -> tuple[str, ...]:
        if labels.keys() != set(self.names):
            missing = [name for name in self.names if name not in labels]
            undeclared = [name for name in labels if name not in self.names]
            parts = [f"without {', '.join(missing)}"] if missing else []
            parts += [f"with undeclared {', '.join(undeclared)}"] if undeclared else []
            raise MetricError(
                f"the metric {self.metric!r} was used {' and '.join(parts)}",
                fix=f"give exactly the labels {', '.join(self.names) or 'none'}",
            )
        return tuple(_clean(labels[name]) for name in self.names)

    def _fit(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        if wanted in self._series:
            return wanted
        if len(self._series) >= self._max_series:
            return (OTHER,) * len(self.names)
        fitting = tuple(
            value if value in seen or len(seen) < self._max_values else OTHER
            for value, seen in zip(wanted, self._seen, strict=True)
        )
        for value, seen in zip(fitting, self._seen, strict=True):
            if value != OTHER:
                seen.add(value)
        self._series.add(fitting)
        return fitting


def _clean(value: object) -> str:
    # A lone surrogate would make the whole exposition fail to encode.
    return str(value)[:MAX_VALUE_LENGTH].encode("utf-8", "replace").decode()
