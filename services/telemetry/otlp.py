"""Telemetry over OpenTelemetry: traces, metrics and logs to a collector by OTLP, beside what every backend does."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Iterable

from opentelemetry.trace import NoOpTracer
from prometheus_client.registry import Collector

from bedplate import __version__
from bedplate.services.base import Service
from bedplate.services.engines.redactor import Redactor
from bedplate.services.logs import add_context, get_logger, remove_context
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry.operations import Kind, Probe
from bedplate.services.telemetry.otlp_libraries import Libraries
from bedplate.services.telemetry.otlp_logs import OtlpLogHandler, span_ids
from bedplate.services.telemetry.otlp_metrics import OtelCollector
from bedplate.services.telemetry.otlp_options import read_options
from bedplate.services.telemetry.otlp_pipeline import OtlpPipeline
from bedplate.services.telemetry.otlp_probe import TracedProbe, Tracers
from bedplate.services.telemetry.otlp_providers import resource_of
from bedplate.services.telemetry.service import App, TelemetryService

__all__ = ["OtlpTelemetry"]

_log = get_logger("bedplate.telemetry")

_TICK = 1.0
_LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class OtlpTelemetry(TelemetryService):
    """Delivers to a collector what the services do, by the standard ``OTEL_*`` variables, read when it is built.

    Everything is made when it starts, in the process that it starts in, and none of it is global. Deliveries run in
    threads of their own, from bounded queues: a collector that is down, refuses or hangs costs what it is not sent, is
    told of once, and makes the service degraded until it is back.

    Raises:
        OtelSettingError: A variable is wrong.
    """

    backend = "otlp"

    def __init__(self, settings: SettingsService, redactor: Redactor) -> None:
        self._tracers = Tracers()
        self._options = read_options(settings.environment("OTEL_"))
        self._propagate = settings.values.tracing.propagate
        self._flush_timeout = settings.values.telemetry.flush_timeout
        self._redactor = redactor
        self._pipeline: OtlpPipeline | None = None
        self._libraries: Libraries | None = None
        self._prepared: list[Service] = []
        self._apps: dict[App, App] = {}
        self._ticking: asyncio.Task[None] | None = None
        super().__init__(settings, redactor)
        self._sent = self.meter.counter(
            "bedplate_telemetry_delivered", "Spans, log records and readings of metrics delivered.", labels=("signal",)
        )
        self._lost = self.meter.counter(
            "bedplate_telemetry_undelivered",
            "Spans, log records and readings of metrics that no collector got.",
            labels=("signal", "reason"),
        )

        self._lag = self.meter.histogram(
            "bedplate_event_loop_lag_seconds", "How late the event loop was, looked at each second.", buckets=_LAGS
        )

    def watch(self, name: str, service: Service) -> None:
        """As ever; the clients of other systems that the service makes are traced too."""
        super().watch(name, service)
        if service is not self and not self._options.disabled:
            service.on_client(self._prepare)
            self._prepared.append(service)
            if self._libraries:
                self._libraries.celery()

    def asgi(self, app: App) -> App:
        """An application around ``app`` that traces and measures its requests, while this service runs."""
        if self._libraries is None:
            return app
        if app not in self._apps:
            self._apps[app] = self._libraries.asgi(app)
        return self._apps[app]

    async def _start(self) -> None:
        if not self._options.disabled:
            resource = resource_of(self._options, str(uuid.uuid4()))
            pipeline = self._pipeline = OtlpPipeline(
                self._options, resource, self._redactor, self._registry, self._sent, self._lost
            )
            self._tracers.tracer = pipeline.tracers.get_tracer("bedplate", __version__)
            if pipeline.loggers is not None:
                self._router.set_also([OtlpLogHandler(pipeline.loggers, self._count_lost_record)])
            self._libraries = Libraries(pipeline.tracers, pipeline.meters, propagate=self._propagate)
            self._libraries.runtime()
            add_context(span_ids)
            self._ticking = asyncio.get_running_loop().create_task(self._tick())
        await super()._start()

    async def _stop(self) -> None:
        self._router.set_also(())
        ticking, self._ticking = self._ticking, None
        if ticking is not None:
            ticking.cancel()
            await asyncio.wait([ticking])
        remove_context(span_ids)
        while self._prepared:
            self._prepared.pop().on_client(None)
        self._apps.clear()
        libraries, self._libraries = self._libraries, None
        if libraries:
            libraries.undo()
        self._tracers.tracer = NoOpTracer()
        pipeline, self._pipeline = self._pipeline, None
        if pipeline:
            await self._close_pipeline(pipeline)
        await super()._stop()

    async def _close_pipeline(self, pipeline: OtlpPipeline) -> None:
        known = pipeline.collectors.trouble  # and told of
        if not await _closed(pipeline, self._flush_timeout) and not known:
            _log.warning(
                "not all telemetry was delivered before the stop",
                seconds=self._flush_timeout,
                fix="look after the collector, or raise BEDPLATE_TELEMETRY__FLUSH_TIMEOUT",
            )

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._lag.record(max(0.0, loop.time() - due))

    async def _check(self) -> str | None:
        trouble = self._pipeline and self._pipeline.collectors.trouble
        return f"telemetry is not delivered: {trouble}" if trouble else None

    def _make_probe(self, service: str, operation: str, kind: Kind) -> Probe:
        return TracedProbe(service, operation, kind, self._tracers)

    def _registries(self) -> Iterable[Collector]:
        return (self._registry, OtelCollector(self._pipeline.reader)) if self._pipeline else (self._registry,)

    def _prepare(self, client: object) -> None:
        if self._libraries:
            self._libraries.client(client)


async def _closed(pipeline: OtlpPipeline, timeout: float) -> bool:
    """Close it beside the event loop, where that goes on by itself if the caller is cancelled; whether in time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def settle(result: bool) -> None:
        if not answer.done():
            answer.set_result(result)

    def run() -> None:
        result = pipeline.close(timeout)
        with contextlib.suppress(RuntimeError):  # the loop has been closed since: nobody waits
            loop.call_soon_threadsafe(settle, result)
        pipeline.finish()

    threading.Thread(target=run, name="bedplate-telemetry-stop", daemon=True).start()
    return await answer
