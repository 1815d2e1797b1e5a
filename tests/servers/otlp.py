"""A recording collector of OTLP over HTTP: decodes and keeps what it is sent, and refuses or hangs when told to.

It stands in for the collectors of vendors too: a path is known by its end (``/api/otel/v1/traces``), and what is sent
to any other is kept as it came.
"""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio.to_thread
import msgspec

__all__ = ["Collector", "Log", "Point", "Request", "Span", "collector"]

_UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, its body decompressed; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span; ids in hexadecimal, ``""`` for no parent; ``kind`` and ``status`` as OpenTelemetry names them."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    status: str
    status_message: str
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[tuple[str, str]]
    start_ns: int
    end_ns: int
    resource: dict[str, Any]
    scope: str
    path: str


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One data point: ``value`` of a sum or a gauge; ``count``, ``value`` (the sum) and ``buckets`` of a histogram.

    ``exemplars`` are pairs of a trace id and a span id.
    """

    name: str
    unit: str
    kind: str
    value: float
    count: int
    buckets: list[int]
    attributes: dict[str, Any]
    exemplars: list[tuple[str, str]]
    resource: dict[str, Any]
    scope: str


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """One log record."""

    body: Any
    severity: str
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: str


class Collector:
    """What was sent, decoded, in the order of arrival, and what is answered.

    Attributes:
        url: Where it listens, as for ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        requests: Every request that was read, those that were refused too; but for one that hangs, when it came.
        spans: The spans that were accepted.
        points: The points of metrics that were accepted.
        logs: The log records that were accepted.
        replies: What is answered beside the status, in JSON, by the end of the path; default: nothing.
        undecodable: The paths of requests whose body is not what their path promises; each was answered with 400.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[Request] = []
        self.spans: list[Span] = []
        self.points: list[Point] = []
        self.logs: list[Log] = []
        self.replies: dict[str, bytes] = {}
        self.undecodable: list[str] = []
        self._status, self._headers = 200, dict[str, str]()
        self._let_go = threading.Event()
        self._let_go.set()
        self._changed = threading.Condition()

    def answer(self, status: int, **headers: str) -> None:
        """Answer every further request with this status; ``retry_after="5"`` is the header ``Retry-After``.

        What is not answered with 2xx is not decoded.
        """
        self._status, self._headers = status, {name.replace("_", "-"): text for name, text in headers.items()}

    def hang(self) -> None:
        """Read further requests and answer none of them, until :meth:`release`."""
        self._let_go.clear()

    def release(self) -> None:
        """Answer those that hang, and further ones."""
        self._let_go.set()

    def forget(self) -> None:
        """Forget all that was sent so far."""
        with self._changed:
            for kept in (self.requests, self.spans, self.points, self.logs, self.undecodable):
                kept.clear()

    def holds(self, text: str) -> bool:
        """Whether a request holds this text, in its body or its headers."""
        return any(
            text.encode() in one.body or text in one.path or any(text in value for value in one.headers.values())
            for one in tuple(self.requests)
        )

    def wait(self, reached: Callable[[], object], timeout: float = 60.0) -> None:
        """Wait in this thread until something is true, which is looked at anew after each request."""
        with self._changed:
            if not self._changed.wait_for(reached, timeout):
                raise AssertionError(
                    f"not reached in {timeout:g} s, with requests {[(r.path, r.status) for r in self.requests]},"
                    f" spans {[one.name for one in self.spans]}"
                )

    async def until(self, reached: Callable[[], object], timeout: float = 60.0) -> None:
        """As :meth:`wait`, beside the event loop."""
        await anyio.to_thread.run_sync(self.wait, reached, timeout, abandon_on_cancel=True)

    def receive(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """Keep one request; return what to answer."""
        lower = {name.lower(): value for name, value in headers.items()}
        unpack = _UNPACKED.get(lower.get("content-encoding", ""), bytes)
        status, more = self._status, self._headers
        with self._changed:
            try:
                body = unpack(body)
                if 200 <= status < 300:
                    self._decode(path, lower, body)
            except (ValueError, OSError, EOFError, zlib.error):
                status, more = 400, {}
                self.undecodable.append(path)
            self.requests.append(Request(method=method, path=path, headers=lower, body=body, status=status))
            self._changed.notify_all()
        self._let_go.wait()
        return status, more

    def _decode(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        if headers.get("content-type") != "application/x-protobuf":
            return
        # Imported by the tests that use it alone.
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        try:
            if path.endswith("/v1/traces"):
                self.spans += _spans(ExportTraceServiceRequest.FromString(body), path)
            elif path.endswith("/v1/metrics"):
                self.points += _points(ExportMetricsServiceRequest.FromString(body))
            elif path.endswith("/v1/logs"):
                self.logs += _logs(ExportLogsServiceRequest.FromString(body))
        except DecodeError as error:
            raise ValueError("no such message") from error


@contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    """Run a collector on loopback, for the length of a block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, more = kept.receive(self.command, self.path, dict(self.headers.items()), body)
            self._answer(status, more)

        do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815 - as http.server calls them

        def _answer(self, status: int, more: Mapping[str, str]) -> None:
            try:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                reply = next((kept.replies[end] for end in kept.replies if self.path.endswith(end)), b"")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)
            except OSError:  # the client has given up
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # clients keep their connections open
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that went away in the middle

    with Server(("127.0.0.1", port), Handler) as server:
        kept = Collector(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            kept.release()
            server.shutdown()
            thread.join()


def _spans(request: Any, path: str) -> Iterator[Span]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    status=span.status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
                    status_message=span.status.message,
                    attributes=_attributes(span.attributes),
                    events=[(event.name, _attributes(event.attributes)) for event in span.events],
                    links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    resource=resource,
                    scope=scope.scope.name,
                    path=path,
                )


def _points(request: Any) -> Iterator[Point]:
    for group in request.resource_metrics:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points:
                    histogram = kind in ("histogram", "exponential_histogram")
                    value = point.sum if histogram else getattr(point, point.WhichOneof("value"))
                    yield Point(
                        name=metric.name,
                        unit=metric.unit,
                        kind=kind,
                        value=float(value),
                        count=point.count if histogram else 0,
                        buckets=list(point.bucket_counts) if kind == "histogram" else [],
                        attributes=_attributes(point.attributes),
                        exemplars=[(one.trace_id.hex(), one.span_id.hex()) for one in point.exemplars],
                        resource=resource,
                        scope=scope.scope.name,
                    )


def _logs(request: Any) -> Iterator[Log]:
    for group in request.resource_logs:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_logs:
            for record in scope.log_records:
                yield Log(
                    body=_value(record.body),
                    severity=record.severity_text,
                    trace_id=record.trace_id.hex(),
                    span_id=record.span_id.hex(),
                    attributes=_attributes(record.attributes),
                    resource=resource,
                    scope=scope.scope.name,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
