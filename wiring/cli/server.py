"""Serving over HTTP in this process: the address first, then the services, then requests; back in reverse."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from bedplate.containers import ApplicationContainer
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings.groups.server import ServerSettings
from bedplate.wiring.http import create_app

__all__ = ["AddressError", "serve"]


class AddressError(ConfigurationError):
    """The server cannot listen on the address that is set."""

    code = "address"


async def serve(container: ApplicationContainer) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code of the process.

    Raises:
        ConfigurationError: A setting is wrong, or the address is taken; nothing was started.
        StartError: Services did not start.
        StopError: Services did not stop cleanly.
    """
    settings = container.settings().values.server
    with contextlib.closing(_bind(settings)) as listener:
        app = create_app(container)
        server = _Server(container, listener, app, settings)
        with _signals(server) as interrupted:
            try:
                async with app.router.lifespan_context(app):
                    container.telemetry().route_server_logs()
                    await server.serve([listener])
            except asyncio.CancelledError:
                if not interrupted:
                    raise
                return 128 + interrupted[0]
    return 0


class _Server(uvicorn.Server):
    """The HTTP server, without its own ideas on signals: there are services to stop after it has stopped."""

    def __init__(
        self, container: ApplicationContainer, listener: socket.socket, app: FastAPI, settings: ServerSettings
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                server_header=False,
                # As Socket.IO's own server: compressing every small event costs more memory and time than it saves.
                ws_per_message_deflate=False,
            )
        )
        self._app = app
        self._container = container
        self._url = _url(settings.host, listener.getsockname()[1])
        self._settings = settings
        self._hurry = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to :func:`serve`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        try:
            await super().startup(sockets)
        except OSError as error:
            raise _address_error(self._settings, error) from error
        await self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; when asked a second time by Ctrl-C, without waiting for anything."""
        super().handle_exit(sig, frame)
        if self.force_exit:
            self._hurry.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Be sent nothing more, let what is there end, tell clients where it cannot, and end all connections.

        First ``/readyz`` says no, for ``drain_delay``. Then nobody comes in any more, clients of Socket.IO are sent
        elsewhere, and jobs may end for three quarters of ``drain_timeout``; who reads one that is ended then gets its
        last event in what is left for open requests. Streams of open pages of the dashboard end at once.
        """
        settings, loop = self._settings, asyncio.get_running_loop()
        self._container.begin_drain()
        await self._unless_in_a_hurry(asyncio.sleep(settings.drain_delay))
        for server in self.servers:
            server.close()
        until = loop.time() + settings.drain_timeout
        await self._container.socket().drain()
        await self._unless_in_a_hurry(self._container.job_queue().drain(0.75 * settings.drain_timeout))
        await self._app.state.drain()
        left = max(until - loop.time(), settings.drain_timeout / 4)
        self.config.timeout_graceful_shutdown = left  # type: ignore[assignment]  # fractions work
        await super().shutdown(sockets)

    async def _unless_in_a_hurry(self, work: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._hurry.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _announce(self) -> None:
        lines = [
            self._container.report.table(),
            "",
            f"Data:    {self._container.settings().values.data_dir}",
            f"Address: {self._url}",
        ]
        auth = self._container.auth()
        if token := await auth.setup_token():
            minutes = round(self._container.settings().values.auth.setup_ttl / 60)
            link = f"{self._url}/setup?token={token.secret.get_secret_value()}"
            lines += ["", f"There is no superuser yet. Make one within {minutes} minutes at", f"    {link}"]
        with contextlib.suppress(BrokenPipeError):  # nobody reads it: no reason not to serve
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()


@contextlib.contextmanager
def _signals(server: _Server) -> Iterator[list[int]]:
    """Have SIGTERM and SIGINT end a running server, or a start that is under way; yields the latter's signal."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    interrupted: list[int] = []

    def leave(signum: signal.Signals) -> None:
        if server.started:
            server.handle_exit(signum, None)
        elif task is not None and not interrupted:
            interrupted.append(signum)
            task.cancel()

    handled = (signal.SIGTERM, signal.SIGINT)
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C cancels the task of asyncio.run instead
        for signum in handled:
            loop.add_signal_handler(signum, leave, signum)
    try:
        yield interrupted
    finally:
        with contextlib.suppress(NotImplementedError):
            for signum in handled:
                loop.remove_signal_handler(signum)


def _bind(settings: ServerSettings) -> socket.socket:
    """Take the address before anything is started; connections are refused until the server listens."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _address_error(settings, error) from error
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.send_timeout and hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it. Nothing else ends one whose peer is there and reads nothing: what has been
            # written for it would be kept for good (RFC 5482; Linux counts a closed window too).
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(settings.send_timeout * 1e3))
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _address_error(settings, error) from error
    return listener


def _address_error(settings: ServerSettings, error: OSError) -> AddressError:
    fixes = {
        errno.EADDRINUSE: "stop what listens there, or set BEDPLATE_SERVER__PORT to another port (0 takes a free one)",
        errno.EACCES: "set BEDPLATE_SERVER__PORT to a port above 1023",
    }
    return AddressError(
        f"the server cannot listen on {settings.host} port {settings.port}",
        service="server",
        why=error.strerror,
        fix=fixes.get(error.errno or 0, "set BEDPLATE_SERVER__HOST to an address of this machine"),
    )


def _url(host: str, port: int) -> str:
    """Where a browser on this machine finds the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
