"""The first page: the container, live."""

from starlette.responses import Response

from bedplate.wiring.http.dashboard.drawing import HEIGHT, WIDTH, draw
from bedplate.wiring.http.dashboard.measures import CHARTS
from bedplate.wiring.http.dashboard.visit import Visit

__all__ = ["show"]


async def show(visit: Visit) -> Response:
    """The drawing and the charts."""
    report = visit.container.report
    return visit.page(
        "overview.html",
        drawing=draw(report),
        states=await visit.live.state(),
        report=report,
        charts=CHARTS,
        box=(WIDTH, HEIGHT),
        profile=visit.container.settings().values.profile,
    )
