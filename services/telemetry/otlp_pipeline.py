"""From the instruments of a process to its collectors: made when it starts, and gone when it stops."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import NoOpTracerProvider
from opentelemetry.trace import TracerProvider as AnyTracerProvider
from prometheus_client import CollectorRegistry

from bedplate.services.engines.redactor import Redactor
from bedplate.services.telemetry.instruments import Counter
from bedplate.services.telemetry.otlp_delivery import Batcher, Collectors, Delivery, Ticker
from bedplate.services.telemetry.otlp_metrics import own_metrics, together
from bedplate.services.telemetry.otlp_options import OtlpOptions, Signal
from bedplate.services.telemetry.otlp_providers import (
    LogQueue,
    SpanQueue,
    exporter_of,
    masked_span,
    sampler_of,
)

__all__ = ["OtlpPipeline"]

_UNSOUND = View(instrument_name="http.server.*.body.size", aggregation=DropAggregation())
"""The package for ASGI keeps the size of one answer for the next of another request."""
_PATIENCE = 10.0
_AFTERTHOUGHT = 0.5


class OtlpPipeline:
    """Providers, queues and exporters of one start of a telemetry service.

    Args:
        options: What the variables say.
        resource: Whose telemetry it is.
        redactor: Masks secrets in spans.
        registry: Bedplate's own metrics.
        sent: Counts what was delivered, by signal.
        lost: Counts what was not, by signal and reason.

    Attributes:
        tracers: The provider of tracers; one that does nothing where traces are not delivered.
        meters: The provider of meters.
        loggers: The provider of loggers; None where logs are not delivered.
        reader: Reads for scrapes what ``meters`` measure.
        collectors: What is known of the collectors.
    """

    def __init__(
        self,
        options: OtlpOptions,
        resource: Resource,
        redactor: Redactor,
        registry: CollectorRegistry,
        sent: Counter,
        lost: Counter,
    ) -> None:
        self._options = options
        self._resource = resource
        self._redactor = redactor
        self._registry = registry
        self._since = time.time_ns()
        self._loop = asyncio.get_running_loop()
        self.collectors = Collectors()
        self._exporters = {signal: exporter_of(signal, one) for signal, one in options.signals.items()}
        self._deliveries = {
            signal: Delivery(signal, one, self.collectors, sent, lost) for signal, one in options.signals.items()
        }
        self._queues: list[Batcher[Any] | Ticker] = []
        self.collectors.install()
        self.tracers: AnyTracerProvider = self._make_tracers() if "traces" in options.signals else NoOpTracerProvider()
        self.loggers = self._make_loggers() if "logs" in options.signals else None
        # One for scrapes and one for deliveries: a reading takes the exemplars with it.
        self.reader, self._delivered = InMemoryMetricReader(), InMemoryMetricReader()
        self.meters: AnyMeterProvider = MeterProvider(
            [self.reader, self._delivered] if "metrics" in options.signals else [self.reader],
            resource=resource,
            exemplar_filter=TraceBasedExemplarFilter(),
            shutdown_on_exit=False,
            views=[_UNSOUND],
        )
        if "metrics" in options.signals:
            self._queues.append(Ticker(self._deliver_metrics, options.interval))

    def close(self, timeout: float) -> bool:
        """Deliver what waits, for at most so many seconds; whether there was time for all.

        Blocks, as :meth:`finish` does after it: for a thread of its own.
        """
        # Who does not answer now will hardly do so within the time that is left.
        deadline = time.monotonic() + (min(timeout, 1.0) if self.collectors.trouble else timeout)
        for queue in self._queues:
            queue.end()
        ended = self._join(deadline)
        for exporter in self._exporters.values():
            exporter.shutdown()  # which ends its waiting for another try
        self._join(time.monotonic() + _AFTERTHOUGHT)
        return ended

    def finish(self) -> None:
        """Wait for what cannot be ended, such as a request that hangs, and leave nothing behind."""
        self._join(time.monotonic() + max((one.timeout for one in self._options.signals.values()), default=0.0) + 1)
        self.collectors.remove()

    def _join(self, deadline: float) -> bool:
        ended = [queue.join(max(0.0, deadline - time.monotonic())) for queue in self._queues]
        return all(ended)

    def _make_tracers(self) -> TracerProvider:
        provider = TracerProvider(
            sampler_of(self._options),
            self._resource,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_attribute_length=self._options.text),
        )
        queue = self._options.spans
        batcher = Batcher[ReadableSpan](
            self._deliveries["traces"], self._export_spans, size=queue.size, batch=queue.batch, delay=queue.delay
        )
        self._queues.append(batcher)
        provider.add_span_processor(SpanQueue(batcher.put))
        return provider

    def _make_loggers(self) -> LoggerProvider:
        provider = LoggerProvider(self._resource, shutdown_on_exit=False)
        queue = self._options.logs
        batcher = Batcher[ReadableLogRecord](
            self._deliveries["logs"], self._exports("logs"), size=queue.size, batch=queue.batch, delay=queue.delay
        )
        self._queues.append(batcher)
        provider.add_log_record_processor(LogQueue(batcher.put))
        return provider

    def _exports(self, signal: Signal) -> Callable[[Any], bool]:
        exporter = self._exporters[signal]
        return lambda items: bool(exporter.export(items).name == "SUCCESS")

    def _export_spans(self, spans: Sequence[ReadableSpan]) -> bool:
        return self._exports("traces")([masked_span(span, self._redactor) for span in spans])

    def _deliver_metrics(self) -> None:
        def export() -> bool:
            return self._exports("metrics")(
                together(self._delivered.get_metrics_data(), self._own_metrics(), self._resource)
            )

        self._deliveries["metrics"].run(1, export)

    def _own_metrics(self) -> Any:
        # In the event loop, as a scrape is: what is read there belongs to services that know no other threads.
        answer: Future[Any] = Future()

        def read() -> None:
            try:
                answer.set_result(own_metrics(self._registry, self._since))
            except Exception as error:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(read)
        return answer.result(_PATIENCE)
