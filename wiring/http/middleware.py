"""Plain ASGI middleware: the limit of a body, the headers that every answer carries, and the trace of a request."""

import contextlib
from collections.abc import Callable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bedplate.services.engines.trace_context import TraceContext, continuing
from bedplate.services.errors import TooLargeError
from bedplate.services.logs import get_logger
from bedplate.wiring.http.errors import problem

__all__ = ["BodyLimitMiddleware", "SecurityHeadersMiddleware", "TraceContextMiddleware"]

_MIB = 1024 * 1024

_log = get_logger("bedplate.tracing")


class _BodyTooLargeError(Exception):
    """Raised inside ``receive`` once more has come than is allowed."""


class BodyLimitMiddleware:
    """Answers 413 to a body over the limit, by its declared length or by what really comes.

    Args:
        app: The application.
        limit_of: Most bytes for a path.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self._app = app
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            await _refuse(scope, receive, send, limit, int(declared))
            return
        received = 0
        answered = False

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _BodyTooLargeError
            return message

        async def watched_send(message: Message) -> None:
            nonlocal answered
            if received > limit and not answered:
                return
            answered = True
            await send(message)

        with contextlib.suppress(_BodyTooLargeError):
            await self._app(scope, counted_receive, watched_send)
        if received > limit and not answered:
            await _refuse(scope, receive, send, limit, received)


async def _refuse(scope: Scope, receive: Receive, send: Send, limit: int, size: int) -> None:
    detail = f"Content size limit exceeded. Maximum allowed is {limit / _MIB:g}MB and got {size / _MIB:.3f}MB."
    # What is left of the body is not read: the connection cannot be used again.
    answer = problem(scope["path"], 413, detail, code=TooLargeError.code, headers={"Connection": "close"})
    await answer(scope, receive, send)


class SecurityHeadersMiddleware:
    """Adds headers that keep browsers from guessing types, framing pages and leaking addresses.

    A process that is about to stop closes each connection with its next answer: a connection that is kept is one on
    which a request can be on its way when the process closes it.

    Args:
        app: The application.
        headers: What to add where the answer has not set it itself.
        draining: Whether the process is about to stop.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], draining: Callable[[], bool] = lambda: False) -> None:
        self._app = app
        self._headers = headers
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, adding headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if self._draining() and not scope["http_version"].startswith("2"):
                    headers["connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class TraceContextMiddleware:
    """Lets what a request begins go on with the trace of its caller (W3C Trace Context).

    A header that is not valid is passed over, as the standard asks, and the first one is told of in the log.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, in its trace."""
        context = self._context(scope) if scope["type"] == "http" else None
        if context is None:
            await self._app(scope, receive, send)
            return
        with continuing(context):
            await self._app(scope, receive, send)

    def _context(self, scope: Scope) -> TraceContext | None:
        parents: list[bytes] = []
        states: list[bytes] = []
        for name, value in scope["headers"]:
            if name == b"traceparent":
                parents.append(value)
            elif name == b"tracestate":
                states.append(value)
        if not parents:
            return None
        context = None
        if len(parents) == 1:
            context = TraceContext.parse(parents[0].decode("latin-1"), b",".join(states).decode("latin-1"))
        if context is None and not self._told:
            self._told = True
            _log.warning(
                "the header traceparent of a request is not valid, and is passed over",
                fix="send it as https://www.w3.org/TR/trace-context-2/ says",
            )
        return context
