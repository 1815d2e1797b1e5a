"""Streams of a job's events: NDJSON as existing clients read it, or server-sent events."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from uuid import UUID

import orjson
from fastapi import Request
from fastapi.responses import StreamingResponse

from bedplate.services.errors import InvalidInputError
from bedplate.services.job_queue import JobEvent

__all__ = ["NDJSON", "event_response", "last_event_id", "line_response", "ndjson_line", "wants_sse"]

NDJSON = "application/x-ndjson"
_SSE = "text/event-stream"

_NO_BUFFERING = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def ndjson_line(event: JobEvent) -> bytes:
    """One event as a line of JSON and the blank line after it."""
    return b'{"event":%s,"data":%s}\n\n' % (orjson.dumps(event.type), event.payload)


def _sse_frame(event: JobEvent) -> bytes:
    """One event in the event stream format of the HTML standard."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.type.encode(), event.payload)


def wants_sse(request: Request) -> bool:
    """Whether ``Accept`` names ``text/event-stream`` itself."""
    ranges = request.headers.get("accept", "").split(",")
    return any(part.partition(";")[0].strip().lower() == "text/event-stream" for part in ranges)


def last_event_id(request: Request) -> int | None:
    """The event after which the caller wants to go on, from ``Last-Event-ID``.

    Raises:
        InvalidInputError: It is no number.
    """
    value = request.headers.get("last-event-id", "").strip()
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InvalidInputError("Last-Event-ID must be the id of an event: a number", service="job_queue")
    return int(value)


def event_response(events: AsyncGenerator[JobEvent, None], *, sse: bool, job_id: UUID) -> StreamingResponse:
    """Stream events as they come, as server-sent events or as NDJSON."""
    return _response(events, _sse_frame if sse else ndjson_line, _SSE if sse else NDJSON, job_id)


def line_response(events: AsyncGenerator[JobEvent, None], *, job_id: UUID) -> StreamingResponse:
    """Stream events as the lines that clients of ``/run`` read under the type of server-sent events."""
    return _response(events, ndjson_line, _SSE, job_id)


def _response(
    events: AsyncGenerator[JobEvent, None], encode: Callable[[JobEvent], bytes], media_type: str, job_id: UUID
) -> StreamingResponse:

    async def body() -> AsyncIterator[bytes]:
        # A client that goes away ends the response, and its reader of events with it.
        async with aclosing(events):
            async for event in events:
                yield encode(event)

    return StreamingResponse(body(), media_type=media_type, headers={**_NO_BUFFERING, "X-Job-ID": str(job_id)})
