"""Jobs: a list, and each with the log of its events."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from bedplate.services.errors import NotFoundError
from bedplate.services.job_queue import Job, JobEvent, JobStatus
from bedplate.services.job_queue.models import JobPage
from bedplate.wiring.http.dashboard.rendering import fragment
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["cancel", "events", "index", "show"]

_PAGE = 50
_SHOWN = 200
"""Events that a page shows at once."""
_PATIENCE = 5.0
"""Seconds that a stream waits for events before it looks around."""
_NOTHING = JobPage(items=(), next_cursor=None)
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def index(visit: Visit) -> Response:
    """The latest jobs of all users, or of one."""
    jobs = visit.container.job_queue()
    status, cursor, name = visit.choice("status", JobStatus), visit.asked("cursor"), visit.asked("user")
    if name is None:
        found = await jobs.list_all(status=status, limit=_PAGE, cursor=cursor)
    else:
        owner = await visit.people.id(name)
        found = await jobs.list(owner, status=status, limit=_PAGE, cursor=cursor) if owner else _NOTHING
    names = await visit.people.names(job.user_id for job in found.items)
    return visit.page("jobs.html", jobs=found, names=names, statuses=list(JobStatus), chosen=status)


async def show(visit: Visit) -> Response:
    """A job with some of its events: the last ones, or those before one."""
    owner, job_id = visit.id("owner"), visit.id("job")
    jobs = visit.container.job_queue()
    job = await jobs.get(owner, job_id)
    before = visit.number("before", job.last_event_id + 1)
    after = max(0, before - 1 - _SHOWN)
    some = [event for event in await _some(visit, job, after) if event.id < before]
    names = await visit.people.names([owner])
    return visit.page(
        "job.html",
        job=job,
        owner=names[owner],
        events=_rows(visit, some),
        first=some[0].id if some else 0,
        last=some[-1].id if some else after,
        latest=before > job.last_event_id,
        error=visit.masked(job.error),
    )


async def events(visit: Visit) -> Response:
    """The events of a job as they come, as rows of its page, until the last."""
    owner, job_id = visit.id("owner"), visit.id("job")
    await visit.container.job_queue().get(owner, job_id)
    last = visit.request.headers.get("last-event-id", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else visit.number("after")
    return StreamingResponse(_stream(visit, after), media_type="text/event-stream", headers=_HEADERS)


async def cancel(visit: Visit) -> Response:
    """Cancel a job, and show it."""
    owner, job_id = visit.id("owner"), visit.id("job")
    job = await visit.container.job_queue().cancel(owner, job_id)
    await visit.audit("job_cancelled", owner, job_id, status=str(job.status))
    return visit.back_to(f"/dashboard/jobs/{owner}/{job_id}")


async def _some(visit: Visit, job: Job, after: int) -> Sequence[JobEvent]:
    if after >= job.last_event_id:
        return ()
    return await visit.container.job_queue().poll(job.user_id, job.id, after=after, limit=_SHOWN)


async def _stream(visit: Visit, after: int) -> AsyncIterator[bytes]:
    jobs, owner, job_id = visit.container.job_queue(), visit.id("owner"), visit.id("job")
    watch = visit.watch()
    try:
        while not visit.live.closed and await watch.good():
            some = await jobs.poll(owner, job_id, after=after, timeout=_PATIENCE, limit=_SHOWN)
            if some:
                after = some[-1].id
                yield _frame(after, fragment("_events.html", events=_rows(visit, some)))
            if (some and some[-1].terminal) or (not some and (await jobs.get(owner, job_id)).status.finished):
                break
    except NotFoundError:
        pass  # it has been deleted meanwhile
    yield b"event: end\ndata: {}\n\n"


def _frame(last: int, html: str) -> bytes:
    lines = b"".join(b"data: %s\n" % line.encode() for line in html.splitlines())
    return b"id: %d\nevent: rows\n%s\n" % (last, lines)


def _rows(visit: Visit, some: Sequence[JobEvent]) -> list[dict[str, Any]]:
    return [
        {
            "id": event.id,
            "type": event.type,
            "at": event.created_at,
            "data": orjson.dumps(visit.masked(event.data)).decode(),
        }
        for event in some
    ]
