"""The dashboard at ``/``: what a superuser sees of the container, live.

Nothing of it is imported before a page is asked for.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bedplate.containers import ApplicationContainer

if TYPE_CHECKING:
    from bedplate.wiring.http.dashboard.site import Site

__all__ = ["PREFIX", "Dashboard"]

PREFIX = "/dashboard"
"""Where all pages but the first one are."""


class Dashboard:
    """An ASGI application that makes the pages when the first of them is asked for.

    Args:
        container: The services to show.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container
        self._site: Site | None = None

    def add_to(self, app: FastAPI) -> None:
        """Serve the first page at ``/`` and the others below :data:`PREFIX`; ``app.state.drain`` ends their streams."""
        app.state.drain = self.drain
        app.router.routes.append(Route("/", self, methods=["GET"], include_in_schema=False))
        app.mount(PREFIX, self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._site is None:
            make = await self._container.workers().pool("dashboard", threads=1).run(_load)
            self._open(make)
        assert self._site is not None  # noqa: S101 - narrows the type
        await self._site(scope, receive, send)

    def _open(self, make: "type[Site]") -> None:
        if self._site is None:  # else a request that came at the same time has made it
            self._site = make(self._container)

    async def drain(self) -> None:
        """End the streams of open pages, which would keep a server from ending; browsers come back elsewhere."""
        if self._site is not None:
            await self._site.close()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Show what happens while the block runs; the services are running."""
        try:
            yield
        finally:
            site, self._site = self._site, None
            if site is not None:
                await site.close()


def _load() -> "type[Site]":
    """Import the pages and compile the templates, on which a process that shows none should spend nothing."""
    from bedplate.wiring.http.dashboard.rendering import compile_templates
    from bedplate.wiring.http.dashboard.site import Site

    compile_templates()
    return Site
