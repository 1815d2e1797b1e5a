"""What files take up, of whom."""

from starlette.responses import Response

from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["index"]

_PAGE = 25


async def index(visit: Visit) -> Response:
    """The use of each user, and what the database takes up."""
    container = visit.container
    storage = container.storage()
    users = await container.auth().users.browse(
        visit.principal, search=visit.asked("user") or "", cursor=visit.asked("cursor"), limit=_PAGE
    )
    usage = [(user, await storage.usage(user.id)) for user in users.users]
    sizes = {
        metric.name: sum(one.value for one in metric.samples)
        for metric in container.telemetry().metrics()
        if metric.name in ("bedplate_database_bytes", "bedplate_storage_saved_bytes", "bedplate_storage_read_bytes")
    }
    return visit.page(
        "storage.html", usage=usage, older=users.next_cursor, sizes=sizes, backend=container.report["storage"].backend
    )
