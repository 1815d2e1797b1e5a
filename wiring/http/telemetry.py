"""What telemetry does around each request."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from bedplate.services.telemetry import TelemetryService

__all__ = ["TelemetryMiddleware"]


class TelemetryMiddleware:
    """Has the telemetry service trace and measure requests, where its backend does; connections of sockets pass.

    Args:
        app: The application.
        telemetry: Gives the service, asked at each request: an override may come at any time.
    """

    def __init__(self, app: ASGIApp, telemetry: Callable[[], TelemetryService]) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, through what traces it."""
        app = self._telemetry().asgi(self._app) if scope["type"] == "http" else self._app
        await app(scope, receive, send)
