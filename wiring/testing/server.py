"""A real server in the test's own process: an ASGI application on a free port, in a thread of its own."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn

__all__ = ["LocalServer"]


class LocalServer:
    """Serves an application; use it as a context manager, or by :meth:`start` and :meth:`stop`.

    Args:
        name: Name of the thread.
        make_app: Makes the application, at each start.
    """

    def __init__(self, name: str, make_app: Callable[[], Any]) -> None:
        self._name = name
        self._make_app = make_app
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port, once it is started."""
        if self._socket is None:
            raise RuntimeError(f"the server {self._name!r} is not started")
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        """Listen; requests are accepted from now on."""
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            self._make_app(), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._socket, self._server = listener, uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end what is being answered."""
        if self._server is not None and self._thread is not None and self._socket is not None:
            self._server.should_exit = True
            self._thread.join()
            self._socket.close()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
