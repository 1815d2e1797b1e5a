"""How many requests there are, how they are answered, and how soon."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bedplate.services.telemetry import TelemetryService

__all__ = ["REQUESTS", "MeasuringMiddleware"]

REQUESTS = "bedplate_http_request_seconds"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MeasuringMiddleware:
    """Times each request until its answer begins: how long a stream goes on says nothing of the server.

    Args:
        app: The application.
        telemetry: Gives the service that keeps the numbers.
    """

    def __init__(self, app: ASGIApp, telemetry: Callable[[], TelemetryService]) -> None:
        self._app = app
        self._seconds = telemetry().meter.histogram(
            REQUESTS,
            "Seconds from a request to the beginning of its answer",
            labels=("method", "status"),
            buckets=_BUCKETS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        begun, answered = time.perf_counter(), False

        async def timed(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                self._seconds.record(time.perf_counter() - begun, method=method, status=str(message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, timed)
        except Exception:
            if not answered:  # whoever is outside makes a 500 of it
                self._seconds.record(time.perf_counter() - begun, method=method, status="500")
            raise
