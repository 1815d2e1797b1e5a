"""Exporters, processors and providers of OpenTelemetry's SDK, of one telemetry service's own: nothing global is set."""

import copy
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, sampling
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import Status

from bedplate.services.engines.redactor import Limits, Redactor
from bedplate.services.telemetry.errors import OtelPackageError
from bedplate.services.telemetry.otlp_options import MAX_TEXT, OtlpOptions, Signal, SignalOptions

__all__ = ["LogQueue", "SpanQueue", "exporter_of", "masked_span", "resource_of", "sampler_of"]

_HTTP: dict[Signal, Any] = {"traces": OTLPSpanExporter, "metrics": OTLPMetricExporter, "logs": OTLPLogExporter}
_GRPC = "opentelemetry.exporter.otlp.proto.grpc"
_LIMITS = Limits(text=MAX_TEXT, items=1_000, depth=8)


def exporter_of(signal: Signal, options: SignalOptions) -> Any:
    """Make the exporter of a signal, which connects when it is first used.

    Raises:
        OtelPackageError: The package for the protocol is not installed.
    """
    if options.protocol == "grpc":
        return _grpc_exporter(signal, options)
    return _HTTP[signal](
        endpoint=options.endpoint,
        headers=options.headers,
        timeout=options.timeout,
        compression=Compression(options.compression),
        certificate_file=options.certificate,
        client_key_file=options.client_key,
        client_certificate_file=options.client_certificate,
    )


def _grpc_exporter(signal: Signal, options: SignalOptions) -> Any:
    module = {"traces": "trace_exporter", "metrics": "metric_exporter", "logs": "_log_exporter"}[signal]
    try:
        made = getattr(importlib.import_module(f"{_GRPC}.{module}"), _HTTP[signal].__name__)
        compression = importlib.import_module("grpc").Compression
    except ModuleNotFoundError as error:
        raise OtelPackageError(error.name or _GRPC) from error
    return made(
        endpoint=options.endpoint,
        insecure=options.endpoint.startswith("http:"),
        headers=tuple(options.headers.items()),
        timeout=options.timeout,
        compression=compression.Gzip if options.compression == "gzip" else compression.NoCompression,
    )


def resource_of(options: OtlpOptions, instance: str) -> Resource:
    """Whose telemetry it is; made anew rather than detected, which would read files and start threads.

    Args:
        options: What the variables say.
        instance: The id of this start of this process, unless the variables give one.
    """
    attributes: Mapping[str, str] = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
        "service.instance.id": instance,
        **options.resource,
    }
    return Resource(attributes)


def sampler_of(options: OtlpOptions) -> sampling.Sampler:
    """The sampler that the variables name."""
    roots: dict[str, sampling.Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(options.ratio),
    }
    root = roots[options.sampler.removeprefix("parentbased_")]
    return sampling.ParentBased(root) if options.sampler.startswith("parentbased_") else root


class SpanQueue(SpanProcessor):
    """Passes ended spans on to a queue."""

    def __init__(self, put: Callable[[ReadableSpan], None]) -> None:
        self._put = put

    def on_end(self, span: ReadableSpan) -> None:
        """Pass it on, if it is sampled."""
        if span.context and span.context.trace_flags.sampled:
            self._put(span)


class LogQueue(LogRecordProcessor):
    """Passes log records on to a queue."""

    def __init__(self, put: Callable[[ReadableLogRecord], None]) -> None:
        self._put = put

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Pass it on, without the context that it was written in, which may be large."""
        record = copy.copy(log_record.log_record)
        record.context = Context()
        self._put(
            ReadableLogRecord(
                log_record=record,
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        """Nothing to do: the queue is closed by its owner."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing to do: the queue is flushed when its owner closes it."""
        return True


def masked_span(span: ReadableSpan, redactor: Redactor) -> ReadableSpan:
    """A copy in which every text of every attribute and event, and of the status, has its secrets masked and is cut."""
    status = span.status
    if status.description:
        status = Status(status.status_code, redactor.text(status.description, limit=MAX_TEXT))
    return ReadableSpan(
        name=redactor.text(span.name, limit=1_024),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_masked(span.attributes, redactor),
        events=[Event(one.name, _masked(one.attributes, redactor), one.timestamp) for one in span.events],
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _masked(attributes: Mapping[str, Any] | None, redactor: Redactor) -> Any:
    return redactor.value(dict(attributes or {}), limits=_LIMITS)
