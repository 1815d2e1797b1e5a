"""An ASGI application on a free port of this machine, for tests that want real HTTP."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

__all__ = ["serving"]


class _Server(uvicorn.Server):
    """Leaves signals to the test runner, and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


@contextlib.asynccontextmanager
async def serving(app: Any, *, lifespan: bool = True) -> AsyncIterator[str]:
    """Serve ``app`` on the running loop for the length of the block.

    Args:
        app: Any ASGI application.
        lifespan: Whether the application wants to be started and stopped.

    Yields:
        Its address, such as ``"http://127.0.0.1:40123"``; the application has started.

    Raises:
        RuntimeError: The application could not start.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="on" if lifespan else "off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if not server.started:
            raise RuntimeError("the application could not start; its log says why")
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        ready.cancel()
        server.should_exit = True
        await asyncio.wait([task])
        listener.close()
    task.result()
