"""Streams of a job's events: NDJSON as existing clients read it, or server-sent events."""

from collections.abc import AsyncIterator

import orjson
from fastapi import Request
from fastapi.responses import StreamingResponse

from bedplate.services.errors import InvalidInputError
from bedplate.services.job_queue import JobEvent

__all__ = ["event_response", "last_event_id", "ndjson_line", "wants_sse"]

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


def event_response(events: AsyncIterator[JobEvent], *, sse: bool, job_id: str) -> StreamingResponse:
    """Stream events as they come, as server-sent events or as NDJSON."""
    encode = _sse_frame if sse else ndjson_line

    async def body() -> AsyncIterator[bytes]:
        async for event in events:
            yield encode(event)

    return StreamingResponse(
        body(),
        media_type="text/event-stream" if sse else "application/x-ndjson",
        headers={**_NO_BUFFERING, "X-Job-ID": job_id},
    )
