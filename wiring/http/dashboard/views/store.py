"""The store: what is published in it."""

from starlette.responses import Response

from bedplate.services.errors import BedplateError
from bedplate.services.store import Query
from bedplate.wiring.http.dashboard.visit import Visit
from bedplate.wiring.http.errors import status_of

__all__ = ["index"]

_PAGE = 25


async def index(visit: Visit) -> Response:
    """What a search finds, the latest changed first; of what is private, the visitor's own."""
    store = visit.container.store()
    number = max(1, visit.number("page", 1))
    found, trouble = None, None
    try:
        found = await store.search(visit.principal.user.id, Query(text=visit.asked("q"), page=number, limit=_PAGE))
    except BedplateError as error:
        # A remote catalogue that is down, or asks for a key, is no fault of this page.
        if status_of(error) == 500:
            raise
        trouble = error.what
    return visit.page("store.html", found=found, trouble=trouble, number=number, size=_PAGE, backend=store.backend)
