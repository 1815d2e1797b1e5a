"""The instrumentation packages of OpenTelemetry, on single clients and applications with providers of our own.

Nothing is patched for the whole process, with one exception: celery knows no client to instrument, only signals of
the process, to which its package is connected while one telemetry service runs.
"""

import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.instrumentation import _semconv
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider
from opentelemetry.util.http import parse_excluded_urls

if TYPE_CHECKING:
    import sqlalchemy

__all__ = ["Libraries"]

App = Callable[[Any, Any, Any], Awaitable[None]]

_EXCLUDED = "/livez$,/readyz$,/health$,/metrics$"
"""Probes and scrapes, which would be most of all traces."""

_RUNTIME: dict[str, list[str] | None] = {
    "process.cpu.time": ["user", "system"],
    "process.cpu.utilization": ["user", "system"],
    "process.memory.usage": None,
    "process.memory.virtual": None,
    "process.open_file_descriptor.count": None,
    "process.thread.count": None,
    "process.context_switches": ["involuntary", "voluntary"],
    "cpython.gc.collections": None,
    "cpython.gc.collected_objects": None,
    "cpython.gc.uncollectable_objects": None,
}


class Libraries:
    """Instruments what it is shown, until :meth:`undo`.

    Args:
        tracers: Where spans go.
        meters: Where metrics go.
        propagate: Whether calls to other systems may say which trace they are part of; where they may not, calls
            with httpx are not traced, which cannot be had without.
    """

    def __init__(self, tracers: TracerProvider, meters: MeterProvider, *, propagate: bool = True) -> None:
        self._propagate = propagate
        self._tracers = tracers
        self._meters = meters
        self._undo: list[Callable[[], None]] = []

    def runtime(self) -> None:
        """Measure this process: processor, memory, threads, files, collections of garbage."""
        # Not the shared instance that its class hands out, which knows one provider in the life of a process.
        instrumentor: Any = object.__new__(SystemMetricsInstrumentor)
        instrumentor.__init__(config=_RUNTIME)
        instrumentor._instrument(meter_provider=self._meters)  # noqa: SLF001 - see above

    def celery(self) -> None:
        """Trace the tasks of celery that this process sends and runs; the second of two services leaves it alone."""
        if "celery" not in sys.modules:
            return
        from opentelemetry.instrumentation.celery import CeleryInstrumentor

        instrumentor = CeleryInstrumentor()  # type: ignore[no-untyped-call]  # not annotated
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=self._tracers, meter_provider=self._meters, skip_dep_check=True)
            self._undo.append(instrumentor.uninstrument)

    def client(self, client: object) -> None:
        """Trace what goes through a client: an httpx client, one of redis-py, or an engine of SQLAlchemy."""
        package = type(client).__module__.partition(".")[0]
        with _stable_conventions():
            if package == "httpx" and self._propagate:
                self._httpx(client)
            elif package == "redis":
                self._redis(client)
            elif package == "sqlalchemy":
                self._sqlalchemy(client)

    def asgi(self, app: App) -> App:
        """An application around ``app`` that traces and measures its requests, named by their routes."""
        with _stable_conventions():
            outer: App = _ByRoute(
                app,
                excluded_urls=parse_excluded_urls(_EXCLUDED),
                default_span_details=_details,
                tracer_provider=self._tracers,
                meter_provider=self._meters,
                exclude_spans=["receive", "send"],
            )
        return outer

    def undo(self) -> None:
        """Take away what does not go with its client."""
        while self._undo:
            self._undo.pop()()

    def _httpx(self, client: Any) -> None:
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor.instrument_client(
            client, tracer_provider=self._tracers, meter_provider=self._meters, request_hook=_without_query
        )
        self._undo.append(lambda: HTTPXClientInstrumentor.uninstrument_client(client))

    def _redis(self, client: Any) -> None:
        from opentelemetry.instrumentation.redis import RedisInstrumentor

        RedisInstrumentor.instrument_client(client, tracer_provider=self._tracers)
        self._undo.append(lambda: RedisInstrumentor.uninstrument_client(client))

    def _sqlalchemy(self, engine: "sqlalchemy.Engine | Any") -> None:
        from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer

        meter = self._meters.get_meter("opentelemetry.instrumentation.sqlalchemy")
        usage = meter.create_up_down_counter(
            "db.client.connection.count", unit="{connection}", description="Connections, by state."
        )
        # What instrument(engine=…) does, without its patching of create_engine() for the whole process.
        tracer = self._tracers.get_tracer("opentelemetry.instrumentation.sqlalchemy")
        EngineTracer(tracer, engine, usage)  # type: ignore[no-untyped-call]  # not annotated


class _ByRoute(OpenTelemetryMiddleware):
    """Names a request by the route that took it, once that is known, and never by its path."""

    def _get_otel_send(
        self, server_span: Span, server_span_name: str, scope: Any, send: Any, duration_attrs: dict[str, Any]
    ) -> Any:
        otel_send = super()._get_otel_send(server_span, server_span_name, scope, send, duration_attrs)  # type: ignore[no-untyped-call]

        async def named_send(message: MutableMapping[str, Any]) -> None:
            route = getattr(scope.get("route"), "path_format", None)
            if route and message["type"] == "http.response.start":
                duration_attrs["http.route"] = route
                server_span.update_name(f"{scope['method']} {route}")
                server_span.set_attribute("http.route", route)
            await otel_send(message)

        return named_send


def _details(scope: MutableMapping[str, Any]) -> tuple[str, dict[str, str]]:
    method = scope.get("method", "HTTP")
    # A query may hold a token; that there was one is all that is said of it.
    return method, {"url.query": "REDACTED"} if scope.get("query_string") else {}


async def _without_query(span: Span, request: Any) -> None:
    if span.is_recording():
        url = urlsplit(str(request.url))
        host = f"{url.hostname}:{url.port}" if url.port else url.hostname
        span.set_attribute("url.full", f"{url.scheme}://{host}{url.path}" + ("?REDACTED" if url.query else ""))


@contextlib.contextmanager
def _stable_conventions() -> Iterator[None]:
    """Have instrumentation that is made in the block follow the stable semantic conventions.

    The packages ask ``OTEL_SEMCONV_STABILITY_OPT_IN`` once in a process, and follow those of 2021 where it says
    nothing. Their answer is put back afterwards: it is the application's, which may have instrumentation of its own.
    """
    kept: Any = _semconv._OpenTelemetrySemanticConventionStability  # noqa: SLF001 - there is no public way
    signals, modes = _semconv._OpenTelemetryStabilitySignalType, _semconv._StabilityMode  # noqa: SLF001 - the same
    kept._initialize()  # noqa: SLF001 - the same
    before = kept._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING  # noqa: SLF001 - the same
    chosen = {signals.HTTP: modes.HTTP, signals.DATABASE: modes.DATABASE}
    chosen |= {signal: mode for signal, mode in before.items() if mode is not modes.DEFAULT}
    kept._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = chosen  # noqa: SLF001 - the same
    try:
        yield
    finally:
        kept._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = before  # noqa: SLF001 - the same
