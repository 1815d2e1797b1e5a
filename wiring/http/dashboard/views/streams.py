"""What pages are told while they are open, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from bedplate.services.errors import UnavailableError
from bedplate.wiring.http.dashboard.live import Moment
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["live"]

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_LOOK_AGAIN = 15.0
"""Seconds after which it is looked whether the session is still good."""


async def live(visit: Visit) -> Response:
    """The charts' past, then each moment as it comes, until the session ends."""
    return StreamingResponse(_events(visit), media_type="text/event-stream", headers=_HEADERS)


async def _events(visit: Visit) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    async with visit.live.reader(), aclosing(visit.live.follow()) as moments:
        yield _frame("history", [_values(one) for one in visit.live.moments])
        looked = loop.time()
        async for moment in moments:
            if loop.time() - looked > _LOOK_AGAIN:
                if not await _still_good(visit):
                    yield _frame("goodbye", {})
                    return
                looked = loop.time()
            yield _frame("moment", _values(moment))
            if moment.services:
                yield _frame("services", moment.services)
            for what in moment.changed:
                yield _frame(what, {})
            yield _frame("tick", {})


async def _still_good(visit: Visit) -> bool:
    try:
        alive = await visit.container.auth().alive([visit.principal])
    except UnavailableError:
        return True  # whether it is cannot be told just now, and what is shown is why
    return visit.principal.credential_id in alive


def _values(moment: Moment) -> dict[str, Any]:
    return {"at": moment.at, **moment.values}


def _frame(event: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data))
