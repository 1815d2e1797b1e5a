"""The app factory."""

import functools
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from bedplate import __version__
from bedplate.containers import ApplicationContainer
from bedplate.services.collector import collector_paused
from bedplate.services.settings import Settings
from bedplate.wiring.http.dashboard import Dashboard
from bedplate.wiring.http.errors import install_error_handlers
from bedplate.wiring.http.measuring import MeasuringMiddleware
from bedplate.wiring.http.middleware import BodyLimitMiddleware, SecurityHeadersMiddleware, TraceContextMiddleware
from bedplate.wiring.http.openapi import install_openapi
from bedplate.wiring.http.sockets import SocketApp
from bedplate.wiring.http.telemetry import TelemetryMiddleware
from bedplate.wiring.lifespan import lifespan

__all__ = ["create_app"]

_ROUTERS = (
    "system",
    "jwks",
    "setup",
    "login",
    "auth_sessions",
    "oidc",
    "audit",
    "users",
    "api_keys",
    "variables",
    "variable_history",
    "projects",
    "flows",
    "components",
    "build",
    "run",
    "webhook",
    "monitor",
    "conversations",
    "flow_sessions",
    "traces",
    "tasks",
    "signed_files",
    "flow_files",
    "user_files",
    "transfers",
    "store",
)
_INJECTED = ("bedplate.wiring.http.security", "bedplate.wiring.http.execution")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def create_app(container: ApplicationContainer) -> FastAPI:
    """Make the ASGI application that serves every route of Bedplate.

    Its lifespan wires the routers to ``container``, starts what is not running, and stops it again.

    Args:
        container: The services to serve; its settings are read now, nothing is started.

    Returns:
        An application of its own: two containers make two applications.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    with collector_paused():
        return _make(container)


def _make(container: ApplicationContainer) -> FastAPI:
    settings = container.settings().values
    modules = [importlib.import_module(f"bedplate.wiring.http.routers.{name}") for name in _ROUTERS]
    sockets, dashboard = SocketApp(container), Dashboard(container)
    app = FastAPI(
        title="Bedplate",
        version=__version__,
        lifespan=_wired_lifespan(container, [*_INJECTED, *modules], sockets, dashboard),
        docs_url=None,
        redoc_url=None,
    )
    for module in modules:
        app.include_router(module.router)
    app.mount(settings.socket.path, sockets)
    dashboard.add_to(app)
    _add_middleware(app, settings, lambda: container.draining)
    app.add_middleware(MeasuringMiddleware, telemetry=container.telemetry)
    if settings.telemetry.backend != "embedded":
        app.add_middleware(TelemetryMiddleware, telemetry=container.telemetry)
    install_error_handlers(app)
    install_openapi(app, [module.router for module in modules])
    return app


def _wired_lifespan(
    container: ApplicationContainer, modules: Sequence[ModuleType | str], sockets: SocketApp, dashboard: Dashboard
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    run = lifespan(container)

    @asynccontextmanager
    async def wired(app: FastAPI) -> AsyncIterator[None]:
        container.wire(modules=modules)
        try:
            async with run(app), sockets.serving(), dashboard.serving():
                yield
        finally:
            container.unwire()

    return wired


def _body_limit(settings: Settings, path: str) -> int:
    """Most bytes of a body: as many as a file may have where one is uploaded."""
    upload = path.startswith("/api/v1/files/upload/") or path.rstrip("/") in ("/api/v2/files", "/api/v1/files/signed")
    return settings.storage.max_file_bytes if upload else settings.server.max_body_bytes


def _add_middleware(app: FastAPI, settings: Settings, draining: Callable[[], bool]) -> None:
    server = settings.server
    app.add_middleware(BodyLimitMiddleware, limit_of=functools.partial(_body_limit, settings))
    app.add_middleware(TraceContextMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, headers=_SECURITY_HEADERS, draining=draining)
    if server.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=server.cors_origins,
            allow_credentials=server.cors_allow_credentials,
            allow_methods=["*"],
            allow_headers=["authorization", "content-type", "last-event-id", "x-api-key"],
        )
