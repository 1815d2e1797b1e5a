"""Bounded queues with a thread each, from which batches are delivered; and what is known of the collector meanwhile."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from opentelemetry.instrumentation.utils import suppress_instrumentation

from bedplate.services.logs import get_logger
from bedplate.services.telemetry.instruments import Counter
from bedplate.services.telemetry.otlp_options import Signal, SignalOptions

__all__ = ["Batcher", "Collectors", "Delivery", "Ticker"]

_log = get_logger("bedplate.telemetry")

T = TypeVar("T")

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

_LOGGERS = (
    *(
        f"opentelemetry.exporter.otlp.proto.http.{one}"
        for one in ("trace_exporter", "metric_exporter", "_log_exporter")
    ),
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)


class Collectors(logging.Filter):
    """Which collectors do not take what they are sent: each is told of once, however many batches it does not take.

    While it is installed, what the exporters write to their own loggers of each failure is kept as the reason for
    it, and written by nobody; records of exporters of somebody else pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()
        self._lock = threading.Lock()
        self._failing: dict[str, str] = {}

    def install(self) -> None:
        """Begin to listen to the exporters."""
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Leave their loggers as they were, and forget what failed."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)
        self._failing.clear()

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a record of an export of ours; pass others."""
        reasons: list[str] | None = getattr(self._here, "reasons", None)
        if reasons is None:
            return True
        if record.levelno >= logging.ERROR or not reasons:
            reasons.append(record.getMessage())
        return False

    @property
    def trouble(self) -> str | None:
        """What is not delivered now, in words; None if all is."""
        with self._lock:
            return "; ".join(f"{collector}: {why}" for collector, why in self._failing.items()) or None

    def attempt(self, signal: Signal, options: SignalOptions, export: Callable[[], bool]) -> bool:
        """Run one export; whether the collector took it. Never raises an ``Exception``."""
        self._here.reasons = reasons = list[str]()
        try:
            with suppress_instrumentation():
                taken = export()
        except Exception as error:
            taken = False
            reasons.append(type(error).__name__)
        finally:
            self._here.reasons = None
        with self._lock:
            known = options.collector in self._failing
            if taken:
                self._failing.pop(options.collector, None)
            else:
                # The address may hold a password, and is part of what the libraries say of a broken connection.
                why = _short(reasons[0] if reasons else "no reason given").replace(options.endpoint, "…")
                self._failing[options.collector] = why
        if taken and known:
            _log.info("telemetry is delivered again", collector=options.collector)
        elif not taken and not known:
            _log.warning(
                "telemetry is not delivered, and counted as lost until it is",
                collector=options.collector,
                signal=signal,
                why=why,
                fix=f"see that the collector runs and takes it, and that {options.origin or _ENDPOINT} names it",
            )
        return taken


class Delivery:
    """Exports of one signal, counted.

    Args:
        signal: Which.
        options: Where to.
        collectors: Told of how it goes.
        sent: Counts what was delivered.
        lost: Counts what was not, by reason.
    """

    def __init__(
        self, signal: Signal, options: SignalOptions, collectors: Collectors, sent: Counter, lost: Counter
    ) -> None:
        self.signal: Signal = signal
        self.options = options
        self._collectors = collectors
        self._sent = sent
        self._lost = lost

    def drop(self, count: int, reason: str) -> None:
        """Note what is not going to be delivered."""
        self._lost.add(count, signal=self.signal, reason=reason)

    def run(self, count: int, export: Callable[[], bool]) -> None:
        """Deliver ``count`` items, in the thread of the caller."""
        if self._collectors.attempt(self.signal, self.options, export):
            self._sent.add(count, signal=self.signal)
        else:
            self.drop(count, "failed")


class Batcher(Generic[T]):
    """A bounded queue whose items a thread delivers in batches; :meth:`put` never waits.

    OpenTelemetry's own does not say what it drops, and flushes without a limit of time.

    Args:
        delivery: Counts, and knows the collector.
        export: Delivers a batch; whether it was taken.
        size: Most items that wait.
        batch: Most items of a batch.
        delay: Most seconds that an item waits for others.
    """

    def __init__(
        self, delivery: Delivery, export: Callable[[Sequence[T]], bool], *, size: int, batch: int, delay: float
    ) -> None:
        self._delivery = delivery
        self._export = export
        self._size = size
        self._batch = batch
        self._delay = delay
        self._queue: deque[T] = deque()
        self._full = threading.Event()
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, name=f"bedplate-{delivery.signal}", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Have an item delivered, or count it as lost where too many wait."""
        if self._closing or len(self._queue) >= self._size:
            self._delivery.drop(1, "stopped" if self._closing else "full")
            return
        self._queue.append(item)
        if len(self._queue) >= self._batch:
            self._full.set()

    def end(self) -> None:
        """Take nothing more, and deliver what waits."""
        self._closing = True
        self._full.set()

    def join(self, timeout: float) -> bool:
        """After :meth:`end`: wait for the thread; whether it ended in time. What it leaves is counted as lost."""
        self._thread.join(timeout)
        self._abandoned = True
        if self._thread.is_alive():
            return False
        if late := len(self._queue):  # put by somebody who had looked whether it is closing before it was
            self._delivery.drop(late, "stopped")
        return True

    def _work(self) -> None:
        while not self._closing:
            self._full.wait(self._delay)
            self._full.clear()
            self._drain()
        self._drain()

    def _drain(self) -> None:
        while self._queue:
            items = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
            if self._abandoned:
                self._delivery.drop(len(items), "stopped")
            else:
                self._delivery.run(len(items), lambda: self._export(items))  # noqa: B023 - called before it changes


class Ticker:
    """Does something at intervals in a thread, and once more at the end.

    Args:
        action: What; its errors are its own affair.
        interval: Seconds between two.
    """

    def __init__(self, action: Callable[[], None], interval: float) -> None:
        self._action = action
        self._interval = interval
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bedplate-metrics", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Do it a last time."""
        self._closing.set()

    def join(self, timeout: float) -> bool:
        """After :meth:`end`: wait for the thread; whether it ended in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while not self._closing.wait(self._interval):
            self._action()
        self._action()


def _short(text: str) -> str:
    line = text.splitlines()[0] if text else text
    return line if len(line) <= 300 else f"{line[:300]}…"
