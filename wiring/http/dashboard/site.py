"""The pages: their addresses, who is let in, what an error looks like."""

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from bedplate.containers import ApplicationContainer
from bedplate.services.errors import AuthenticationError, BedplateError
from bedplate.services.logs import get_logger
from bedplate.wiring.http.dashboard.assets import asset
from bedplate.wiring.http.dashboard.gate import superuser
from bedplate.wiring.http.dashboard.live import Live
from bedplate.wiring.http.dashboard.people import People
from bedplate.wiring.http.dashboard.rendering import base_of, page
from bedplate.wiring.http.dashboard.views import (
    audit,
    chats,
    jobs,
    overview,
    runs,
    services,
    sign_in,
    storage,
    store,
    streams,
    tasks,
)
from bedplate.wiring.http.dashboard.visit import View, Visit
from bedplate.wiring.http.errors import status_of

__all__ = ["VIEWS", "Site"]

_log = get_logger("bedplate.http")

VIEWS: dict[str, View] = {
    "GET /": overview.show,
    "GET /live": streams.live,
    "GET /services/{name}": services.show,
    "GET /services/{name}/docs": services.docs,
    "GET /runs": runs.index,
    "GET /runs/{owner}/{run}": runs.show,
    "GET /runs/{owner}/{run}/spans/{span}": runs.span,
    "GET /jobs": jobs.index,
    "GET /jobs/{owner}/{job}": jobs.show,
    "GET /jobs/{owner}/{job}/events": jobs.events,
    "POST /jobs/{owner}/{job}/cancel": jobs.cancel,
    "GET /tasks": tasks.index,
    "GET /tasks/{owner}/{task}": tasks.show,
    "POST /tasks/{owner}/{task}/cancel": tasks.cancel,
    "POST /tasks/{owner}/{task}/requeue": tasks.requeue,
    "GET /chats": chats.index,
    "GET /chats/{owner}/{session:path}": chats.show,
    "GET /storage": storage.index,
    "GET /audit": audit.index,
    "GET /store": store.index,
}
"""What a superuser may ask for, below the dashboard."""

_Endpoint = Callable[[Request], Awaitable[Response]]


class Site:
    """An ASGI application with all pages of the dashboard.

    Args:
        container: The services to show.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container
        self._live = Live(container)
        self._people = People(container.auth())
        self._router = Router([*self._open(), *self._guarded()], redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._router(scope, receive, send)

    async def close(self) -> None:
        """End what goes on."""
        await self._live.close()

    def _open(self) -> list[BaseRoute]:
        """What anyone may ask for."""
        routes = {"GET /sign-in": sign_in.show, "POST /sign-in": sign_in.enter, "POST /sign-out": sign_in.leave}
        opened = [_route(name, functools.partial(view, self._container)) for name, view in routes.items()]
        return [*opened, Route("/static/{name}", asset, methods=["GET"])]

    def _guarded(self) -> list[BaseRoute]:
        return [_route(name, self._let_in(view)) for name, view in VIEWS.items()]

    def _let_in(self, view: View) -> _Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                principal = await superuser(request, self._container)
            except AuthenticationError:
                return _to_sign_in(request)
            return await view(Visit(request, principal, self._container, self._live, self._people))

        return endpoint


def _route(name: str, endpoint: _Endpoint) -> Route:
    method, _, path = name.partition(" ")

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BedplateError as error:
            return _refusal(request, error)

    return Route(path, answered, methods=[method])


def _to_sign_in(request: Request) -> Response:
    base, url = base_of(request), request.url
    if "hx-request" in request.headers or url.path.endswith("/live"):
        # A redirect would put the form into the middle of a page; to be read again, the whole of it asks for a sign-in.
        return Response(status_code=401, headers={"HX-Refresh": "true"})
    target, path = f"{base}/dashboard/sign-in", url.path.removeprefix(base)
    if request.method == "GET" and path not in ("/", "/dashboard/"):
        target += f"?next={quote(f'{path}?{url.query}' if url.query else path)}"
    return RedirectResponse(target, status_code=303)


def _refusal(request: Request, error: BedplateError) -> Response:
    status = status_of(error)
    text = error.what
    if status >= 500:
        _log.error("request failed", path=request.url.path, code=error.code, error=str(error))
        if status == 500:
            text = "Something went wrong on the server; its log says what"
    return page(
        request, "problem.html", status=status, what=text, fix=error.fix if status < 500 else None, code=error.code,
        forbidden=status == 403, fragment="hx-request" in request.headers,
    )  # fmt: skip
