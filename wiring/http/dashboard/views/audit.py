"""The audit log."""

from starlette.responses import Response

from bedplate.services.auth.records import AuditPage
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["index"]

_PAGE = 100


async def index(visit: Visit) -> Response:
    """Security events, the latest first."""
    kind, name = visit.asked("kind"), visit.asked("user")
    user_id = None if name is None else await visit.people.id(name)
    page = AuditPage(events=(), next_cursor=None)
    if name is None or user_id is not None:
        page = await visit.container.auth().audit.list(
            visit.principal,
            kinds=[kind] if kind else (),
            user_id=user_id,
            limit=_PAGE,
            cursor=visit.asked("cursor"),
        )
    names = await visit.people.names({one for event in page.events for one in (event.user_id, event.actor_id)})
    details = [visit.masked(one.details) for one in page.events]
    return visit.page("audit.html", events=page.events, names=names, older=page.next_cursor, details=details)
