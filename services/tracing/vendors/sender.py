"""Sends spans as OTLP over HTTP: one request, within its time, with an answer that is understood."""

import contextlib
import gzip
import ssl
import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan

from bedplate.services.tracing.vendors.vendor import Destination

__all__ = ["NotDeliveredError", "Request", "Sender", "SpansRefusedError"]

_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
_TOO_MUCH: Final = frozenset({400, 413, 415, 422})
_MAX_ANSWER: Final = 64 * 1024
_CONNECT: Final = 3.0


class NotDeliveredError(Exception):
    """A request was not taken, and not because of what was in it.

    Attributes:
        reason: Why, in a few words without an address or a secret; the same for the same trouble.
        fix: What to do about it.
        again: Whether another try may succeed.
        retry_after: Seconds after which the other side wants to be asked again; None: it does not say.
    """

    def __init__(self, reason: str, fix: str, *, again: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix
        self.again = again
        self.retry_after = retry_after


class SpansRefusedError(Exception):
    """A request was refused because of what was in it.

    Attributes:
        reason: Why, in a few words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Request:
    """The body of one request, put together piece by piece, since all at once would hold up other threads."""

    def __init__(self) -> None:
        self._message = ExportTraceServiceRequest()

    def add(self, spans: Sequence[ReadableSpan]) -> None:
        """Put in some spans."""
        self._message.MergeFrom(encode_spans(spans))

    def body(self) -> bytes:
        """What is to be sent."""
        body: bytes = self._message.SerializeToString()
        return body


class Sender:
    """Sends to one destination. Used by one thread, and made in the process that uses it.

    Redirects are not followed, so that no credential goes to where it was not meant for. The exporter of the
    OpenTelemetry SDK is not used: it adds the headers of ``OTEL_EXPORTER_OTLP_HEADERS``, which may be a token of
    somebody else, to those that it was given, and does not say why it failed.

    Args:
        destination: Where.
        timeout: Seconds that a request may take in all.

    Raises:
        OSError: A file of certificates cannot be read.
    """

    def __init__(self, destination: Destination, timeout: float) -> None:
        self._destination = destination
        self._timeout = timeout
        headers = {"Content-Type": "application/x-protobuf", "User-Agent": "bedplate", **destination.headers}
        if destination.gzip:
            headers["Content-Encoding"] = "gzip"
        self._client = httpx.Client(
            headers=headers,
            verify=destination.url.startswith("https:") and _certificates(destination),
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT)),
            limits=httpx.Limits(max_connections=1),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def send(self, body: bytes) -> int:
        """Send one request; how many of its spans were refused.

        Raises:
            NotDeliveredError: It was not taken.
            SpansRefusedError: It was refused because of what was in it.
        """
        if self._destination.gzip:
            body = gzip.compress(body, compresslevel=1)
        # Requests of the client may be traced by OpenTelemetry; these would be traced without end.
        with suppress_instrumentation(), _named():
            status, headers, answer = self._post(body)
        if 200 <= status < 300:
            return _refused(headers.get("content-type", ""), answer)
        if status in _TOO_MUCH:
            raise SpansRefusedError(f"HTTP {status}")
        raise self._not_taken(status, headers)

    def _post(self, body: bytes) -> tuple[int, httpx.Headers, bytes]:
        # The client's timeouts are for each step of a request; a server that drips could draw it out.
        deadline = time.monotonic() + self._timeout
        with self._client.stream("POST", self._destination.url, content=body) as response:
            answer = bytearray()
            for chunk in response.iter_raw():
                answer += chunk[:_MAX_ANSWER]
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long")
                if len(answer) >= _MAX_ANSWER:
                    break
            return response.status_code, response.headers, bytes(answer)

    def _not_taken(self, status: int, headers: httpx.Headers) -> NotDeliveredError:
        names = " and ".join(dict.fromkeys(self._destination.set_by)) or "the settings"
        if status in (401, 403):
            return NotDeliveredError(f"the credentials are refused (HTTP {status})", f"check {names}", again=False)
        if status in _RETRIED:
            reason = "too many requests (HTTP 429)" if status == 429 else f"the server fails (HTTP {status})"
            return NotDeliveredError(
                reason, "wait, or ask who runs it", again=True, retry_after=_retry_after(headers.get("retry-after", ""))
            )
        return NotDeliveredError(
            f"there is nothing that takes spans (HTTP {status})", f"check the URL in {names}", again=False
        )


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Give every failure to get an answer a name."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise NotDeliveredError("no answer in time", "check that the server works", again=True) from error
    except httpx.ConnectError as error:
        raise NotDeliveredError("no connection", "check that the server runs, and its URL", again=True) from error
    except httpx.HTTPError as error:
        raise NotDeliveredError(
            f"the connection failed ({type(error).__name__})", "check that the server works", again=True
        ) from error
    except (httpx.InvalidURL, httpx.CookieConflict, ValueError) as error:
        raise NotDeliveredError(
            f"the request cannot be made ({type(error).__name__})", "check the URL", again=False
        ) from error


def _refused(content_type: str, answer: bytes) -> int:
    """How many spans the other side says that it refused (OTLP, partial success); many answer nothing, or JSON."""
    if not content_type.startswith("application/x-protobuf"):
        return 0
    try:
        return int(ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except DecodeError:
        return 0


def _retry_after(text: str) -> float | None:
    """Seconds in a header ``Retry-After`` (RFC 9110, 10.2.3)."""
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _certificates(destination: Destination) -> ssl.SSLContext | bool:
    if not destination.ca_file and not destination.client_cert:
        return True
    context = ssl.create_default_context(cafile=destination.ca_file or None)
    if destination.client_cert:
        context.load_cert_chain(*destination.client_cert)
    return context
