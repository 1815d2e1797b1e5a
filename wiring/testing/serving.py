"""An ASGI application on a free port of this machine, for tests that want real HTTP."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

__all__ = ["serving"]


class _Server(uvicorn.Server):
    """Leaves signals to the test runner."""

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
        Its address, such as ``"http://127.0.0.1:40123"``.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="on" if lifespan else "off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        # Connections are accepted into the backlog from the first moment, and answered when it is ready.
        host, port = listener.getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        listener.close()
        task.result()
