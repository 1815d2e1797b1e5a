"""Requests to an ASGI application in the same process, without a client in between."""

from typing import Any

from starlette.types import ASGIApp, Message

__all__ = ["Call"]


class Call:
    """A GET request that can be made again and again.

    Args:
        app: The application.
        path: The path.
        bearer: Access token to send; None sends none.
    """

    def __init__(self, app: ASGIApp, path: str, bearer: str | None = None) -> None:
        self._app = app
        headers = [(b"host", b"localhost")]
        if bearer:
            headers.append((b"authorization", f"Bearer {bearer}".encode()))
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }

    async def __call__(self) -> int:
        """Make the request and return its status."""
        status = 0

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]

        await self._app(dict(self._scope), receive, send)
        return status
