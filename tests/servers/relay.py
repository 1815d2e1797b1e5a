"""A relay before a server of tests, whose connections can be cut and refused."""

import asyncio
import contextlib
import ssl
from typing import Self

__all__ = ["Relay"]


class Relay:
    """Passes bytes on between clients and a server on loopback.

    Args:
        target: The port of the server.
        tls: How the relay speaks TLS to clients; None: it does not.

    Attributes:
        port: Where the relay listens.
        cuts: How often :meth:`cut` has ended connections.
    """

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mute: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.cuts = 0

    async def __aenter__(self) -> Self:
        await self.resume()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.pause()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def pause(self) -> None:
        """End all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._abort()
        await asyncio.sleep(0)

    async def resume(self) -> None:
        """Accept connections, at the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=64 * 1024, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End all connections in the middle of what they carry; new ones are accepted."""
        self.cuts += 1
        self._abort()

    def silence(self) -> None:
        """Pass nothing on any more over the connections that there are, and do not end them; new ones work."""
        self._mute |= self._writers

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._mute.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._relay(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target, limit=64 * 1024)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        for one in (writer, back):
            self._writers.discard(one)
            self._mute.discard(one)
            one.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(64 * 1024):
                if sink not in self._mute:
                    sink.write(data)
                    await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()
