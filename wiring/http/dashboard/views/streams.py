"""What pages are told while they are open, as server-sent events."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from bedplate.wiring.http.dashboard.live import Moment
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["live"]

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def live(visit: Visit) -> Response:
    """The charts' past, then each moment as it comes, until the session ends."""
    return StreamingResponse(_events(visit), media_type="text/event-stream", headers=_HEADERS)


async def _events(visit: Visit) -> AsyncIterator[bytes]:
    watch = visit.watch()
    async with visit.live.reader(), aclosing(visit.live.follow()) as moments:
        yield _frame("history", [_values(one) for one in visit.live.moments])
        async for moment in moments:
            if not await watch.good():
                yield _frame("goodbye", {})
                return
            yield _frame("moment", _values(moment))
            if moment.services:
                yield _frame("services", moment.services)
            for what in moment.changed:
                yield _frame(what, {})
            yield _frame("tick", {})


def _values(moment: Moment) -> dict[str, Any]:
    return {"at": moment.at, **moment.values}


def _frame(event: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data))
