"""An ASGI application on a port of this machine, in the test's own process and event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Self

import uvicorn

__all__ = ["LiveServer"]


class LiveServer:
    """Serves an application from entry to exit of a block; its lifespan is the caller's.

    Args:
        app: The application.

    Attributes:
        url: Where clients find it.
        port: The port.
    """

    def __init__(self, app: Any) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        self._task = asyncio.create_task(self._server.serve([self._listener]))
        await self._server.listening.wait()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End what is being answered, and stop."""
        await self.stop()

    async def stop(self) -> None:
        """End what is being answered, and stop; do nothing if it has."""
        self._server.should_exit = True
        task, self._task = self._task, None
        if task is not None:
            await task
        self._listener.close()


class _Server(uvicorn.Server):
    """Says when it listens, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
