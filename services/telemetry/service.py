"""The telemetry service."""

import functools
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS_TYPE
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from bedplate.services.base import Service
from bedplate.services.engines.redactor import Limits, Redactor
from bedplate.services.logs import MAX_TEXT, add_masker, remove_masker
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry.checks import CHECKS
from bedplate.services.telemetry.instrumentation import Instrumentation
from bedplate.services.telemetry.log_router import SERVER_LOGGERS, LogRouter
from bedplate.services.telemetry.meter import Meter
from bedplate.services.telemetry.operations import Kind, OperationStats, OperationTable, Probe

if TYPE_CHECKING:
    from bedplate.services.telemetry.usage import UsageReport, UsageReporter

__all__ = ["App", "TelemetryService"]

App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""


class TelemetryService(Service):
    """Structured logs, metrics, and what the services do.

    While it runs, secrets in log events are masked, Bedplate's loggers are written as set, and the public operations
    of the services that it watches are counted and timed; stopped, it leaves nothing behind. Metrics stand in a
    registry of its own, never in prometheus-client's global one.

    Attributes:
        meter: Makes the instruments of every service; works before start and after stop too.
    """

    type = ServiceType.TELEMETRY
    checks = CHECKS
    uncounted = frozenset({"asgi", "metrics", "operations", "watch"})

    exposition_type = CONTENT_TYPE_PLAIN_0_0_4
    """The media type of :meth:`exposition`."""
    openmetrics_type = OPENMETRICS_TYPE
    """The media type of :meth:`openmetrics`."""

    def __init__(self, settings: SettingsService, redactor: Redactor) -> None:
        values = settings.values.telemetry
        self._registry = CollectorRegistry()
        self.meter = Meter(self._registry, max_label_values=values.max_label_values, max_series=values.max_series)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        lost = self.meter.counter("bedplate_telemetry_lost_log_records", "Log records that could not be written.")
        self._count_lost_record = lost.add
        self._mask = functools.partial(redactor.value, limits=Limits(text=MAX_TEXT))
        self._router = LogRouter(
            logging.getLevelNamesMapping()[values.log_level.upper()], values.log_format, values.log_handler, lost.add
        )

        self._table = OperationTable(self.meter, self._make_probe) if values.operations else None
        self._instrumentation = Instrumentation(self._table.probe) if self._table else None
        self._usage = self._make_reporter(settings) if values.usage_endpoint else None

    def watch(self, name: str, service: Service) -> None:
        """Count and time the public operations of a service until this one stops; the container does so for each.

        Does nothing where ``BEDPLATE_TELEMETRY__OPERATIONS`` is off: the service is as if there were no telemetry.

        Args:
            name: What it is called in the container.
            service: One of the sixteen, or an application's own. Engines are no services, and not watched.
        """
        if self._instrumentation and (service.type or not service.__module__.startswith("bedplate.")):
            self._instrumentation.add(name, service)

    def asgi(self, app: App) -> App:
        """An application around ``app`` that traces and measures its requests; ``app`` itself where nothing does."""
        return app

    def operations(self, service: str | None = None) -> Sequence[OperationStats]:
        """What is known of the operations of one service, by its name in the container, or of all that are watched.

        Those never called are among them. Empty where operations are not counted.
        """
        return self._table.stats(service) if self._table else []

    def usage_report(self) -> "UsageReport | None":
        """What ``BEDPLATE_TELEMETRY__USAGE_ENDPOINT`` would be sent now; None where it is not set: nothing ever is."""
        return self._usage.report() if self._usage else None

    def _make_reporter(self, settings: SettingsService) -> "UsageReporter":
        # Imported by those who ask for it.
        from bedplate.services.telemetry.usage import UsageReporter

        return UsageReporter(settings, self._calls)

    def _calls(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for one in self.operations():
            counts[one.service] = counts.get(one.service, 0) + one.calls
        return counts

    def _make_probe(self, service: str, operation: str, kind: Kind) -> Probe:
        return Probe(service, operation)

    async def _start(self) -> None:
        add_masker(self._mask)
        self._router.install()
        if self._usage:
            self._usage.start()

    async def _stop(self) -> None:
        if self._usage:
            await self._usage.stop()
        if self._instrumentation:
            self._instrumentation.remove_all()
        self._router.remove()
        remove_masker(self._mask)

    def route_server_logs(self) -> None:
        """Write the logs of the HTTP server, the database and the migrations as well, in the same form, until stop.

        For a process that is Bedplate's own, such as ``bedplate serve``; a guest leaves them to the application.
        """
        self._router.route(SERVER_LOGGERS)

    def metrics(self, *names: str) -> Iterable[Metric]:
        """Metrics with their values of now, each with its samples.

        Args:
            names: Names of samples, such as ``"bedplate_cache_hits_total"``: only these are read; none: all metrics.
        """
        return self._registry.restricted_registry(names).collect() if names else self._registry.collect()

    def exposition(self) -> bytes:
        """All metrics in the Prometheus text format 0.0.4, whose media type is :attr:`exposition_type`."""
        return generate_latest(_Together(self._registries()))

    def openmetrics(self) -> bytes:
        """All metrics in the OpenMetrics text format 1.0.0, whose media type is :attr:`openmetrics_type`.

        Unlike the other format, it shows exemplars: of some calls, in which trace they are.
        """
        text: bytes = generate_openmetrics(_Together(self._registries()))  # type: ignore[no-untyped-call]  # not annotated
        return text

    def _registries(self) -> Iterable[Collector]:
        return (self._registry,)


class _Together(Collector):
    """Several registries as one."""

    def __init__(self, registries: Iterable[Collector]) -> None:
        self._registries = registries

    def collect(self) -> Iterable[Metric]:
        return itertools.chain.from_iterable(one.collect() for one in self._registries)
