"""Chat sessions and their messages."""

from starlette.responses import Response

from bedplate.services.chat import MessageOrder
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["index", "show"]

_PAGE = 50
_FARTHEST = 10_000


async def index(visit: Visit) -> Response:
    """The sessions of all users, the last active first."""
    offset = min(visit.number("offset"), _FARTHEST)
    sessions = visit.container.session()
    name = visit.asked("user")
    if name is None:
        found = await sessions.list_all(offset=offset, limit=_PAGE + 1)
    else:
        owner = await visit.people.id(name)
        found = await sessions.list(owner, offset=offset, limit=_PAGE + 1) if owner else []
    names = await visit.people.names(one.user_id for one in found)
    return visit.page(
        "chats.html", sessions=found[:_PAGE], names=names, older=offset + _PAGE if len(found) > _PAGE else None
    )


async def show(visit: Visit) -> Response:
    """The messages of a session, the newest first."""
    owner, session_id = visit.id("owner"), visit.request.path_params["session"]
    messages = await visit.container.chat().list(
        owner, session_id=session_id, order=MessageOrder.NEWEST_FIRST, limit=_PAGE, cursor=visit.asked("cursor")
    )
    names = await visit.people.names([owner])
    return visit.page(
        "chat.html",
        session_id=session_id,
        owner=names[owner],
        messages=[visit.masked_struct(one) for one in messages.items],
        older=messages.next_cursor,
    )
