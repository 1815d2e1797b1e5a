"""Channels of Redis that are listened to over one connection, which comes back by itself."""

import asyncio
import contextlib
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any, Final

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType

__all__ = ["RedisSubscription"]

_log = get_logger("bedplate.redis")

_CHUNK: Final = 500
"""Channels of one command."""
_QUIET: Final = 10.0
"""Seconds of silence after which the server is asked for a sign of life."""
_DEAD: Final = 15.0
"""Seconds of silence after which the connection is given up."""
_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 2.0


class RedisSubscription:
    """Listens on channels that come and go.

    Redis keeps nothing for whoever is not connected: what is said between the loss of a connection and the next one
    is not heard. ``on_restored`` tells when that may have happened, once every channel is listened to again.

    Args:
        engine: The clients.
        service: Whose server.
        on_message: Called with channel and data of each message, in the order of the server; it must not wait.
        on_restored: Called when a connection that was lost is there again.
        on_lost: Called when it is lost, before anybody asks for it again.
    """

    def __init__(
        self,
        engine: RedisEngine,
        service: ServiceType,
        on_message: Callable[[str, bytes], None],
        on_restored: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._service = service
        self._on_message = on_message
        self._on_restored = on_restored
        self._on_lost = on_lost
        self._wanted: set[str] = set()
        self._asked: dict[str, int] = {}  # how many confirmations of a channel are still to come
        self._waiters: dict[str, asyncio.Future[None]] = {}
        self._pings: dict[bytes, asyncio.Future[None]] = {}
        self._number = count()
        self._outgoing: deque[tuple[str, ...]] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_heard = 0.0
        self._connected = False
        self._established = False
        self._lost_before = False

    @property
    def connected(self) -> bool:
        """Whether every channel that was asked for by now is listened to, as far as is known."""
        return self._established

    def start(self) -> None:
        """Begin to listen; the connection is made in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"bedplate-{self._service}-subscription")

    async def stop(self) -> None:
        """Listen no more, and forget all channels."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._wanted.clear()
        self._fail(UnavailableError("the subscription has ended", service=self._service))
        self._lost_before = False

    async def subscribe(self, channel: str) -> None:
        """Listen on a channel; when this returns, everything that is said on it from now on is heard.

        A channel for which it failed is wanted nevertheless, until :meth:`unsubscribe`.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses, as :meth:`RedisEngine.typed_errors` says.
        """
        new = channel not in self._wanted
        self._wanted.add(channel)
        if not new and self._connected and channel not in self._asked:
            return
        if new and self._connected:
            self._ask([channel])
        waiter = self._waiters.get(channel)
        if waiter is None:
            waiter = self._waiters[channel] = asyncio.get_running_loop().create_future()
        await asyncio.shield(waiter)

    def unsubscribe(self, channel: str) -> None:
        """Listen on a channel no more."""
        if channel not in self._wanted:
            return
        self._wanted.discard(channel)
        if self._connected:
            self._send("UNSUBSCRIBE", channel)

    async def barrier(self) -> None:
        """Return when everything that had been said before has been passed on.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses.
        """
        token = b"%d" % next(self._number)
        waiter = self._pings[token] = asyncio.get_running_loop().create_future()
        if self._connected:
            self._send("PING", token.decode())
        try:
            await waiter
        finally:
            self._pings.pop(token, None)

    async def _run(self) -> None:
        delay = _FIRST_DELAY
        while True:
            try:
                async with self._connection() as connection:
                    await self._listen(connection)
            except Exception as raised:
                error = raised
                while isinstance(error, ExceptionGroup):
                    error = error.exceptions[0]
                if self._established:
                    delay = _FIRST_DELAY
                    _log.warning("the connection to Redis was lost", service=self._service, error=type(error).__name__)
                    self._lost_before = True
                    self._on_lost()
                self._connected = self._established = False
                self._fail(error)
            await asyncio.sleep(delay * (1 + random.random()))  # noqa: S311 - spreads replicas, guards nothing
            delay = min(2 * delay, _LONGEST_DELAY)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        with self._engine.typed_errors(self._service):
            pool: Any = self._engine.blocking_client(self._service).connection_pool
            async with asyncio.timeout(_DEAD):
                connection = await pool.get_connection()
            try:
                yield connection
            finally:
                self._connected = False
                await connection.disconnect(nowait=True)
                await pool.release(connection)

    async def _listen(self, connection: Any) -> None:
        self._outgoing.clear()
        self._asked.clear()
        self._connected = True
        self._last_heard = asyncio.get_running_loop().time()
        self._ask(sorted(self._wanted))
        for token in self._pings:
            self._send("PING", token.decode())
        self._settle()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write(connection))
            tasks.create_task(self._watch())
            await self._read(connection)

    async def _read(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        while True:
            answer = await connection.read_response(timeout=math.inf, disconnect_on_error=False, push_request=True)
            self._last_heard = loop.time()
            if not isinstance(answer, list):  # to a ping, while nothing is subscribed to
                self._pong(answer)
                continue
            kind = answer[0]
            if kind == b"message":
                self._hear(answer[1].decode(), answer[2])
            elif kind == b"subscribe":
                self._confirmed(answer[1].decode())
            elif kind == b"pong":
                self._pong(answer[1])

    async def _write(self, connection: Any) -> None:
        while True:
            self._news.clear()
            while self._outgoing:
                await connection.send_command(*self._outgoing.popleft())
            await self._news.wait()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_QUIET / 2)
            silence = loop.time() - self._last_heard
            if silence > _DEAD:
                raise TimeoutError("the server gives no sign of life")
            if silence > _QUIET:
                self._send("PING", "-")

    def _hear(self, channel: str, data: bytes) -> None:
        if channel not in self._wanted:
            return
        try:
            self._on_message(channel, data)
        except Exception as error:
            _log.error("a message could not be handled", service=self._service, exc_info=error)

    def _ask(self, channels: list[str]) -> None:
        for start in range(0, len(channels), _CHUNK):
            chunk = channels[start : start + _CHUNK]
            for channel in chunk:
                self._asked[channel] = self._asked.get(channel, 0) + 1
            self._send("SUBSCRIBE", *chunk)

    def _send(self, *command: str) -> None:
        self._outgoing.append(command)
        self._news.set()

    def _confirmed(self, channel: str) -> None:
        left = self._asked.get(channel, 1) - 1
        if left:
            self._asked[channel] = left
            return
        self._asked.pop(channel, None)
        waiter = self._waiters.pop(channel, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self._settle()

    def _settle(self) -> None:
        """Note that the connection is as good as the one before, once it is."""
        if self._established or self._asked:
            return
        self._established = True
        if self._lost_before:
            _log.info("the connection to Redis is there again", service=self._service)
            self._lost_before = False
            self._on_restored()

    def _pong(self, token: Any) -> None:
        waiter = self._pings.get(token)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        typed = error if isinstance(error, BedplateError) else None
        for waiter in (*self._waiters.values(), *self._pings.values()):
            if not waiter.done():
                waiter.set_exception(typed or UnavailableError("Redis cannot be reached", service=self._service))
                waiter.exception()  # whoever waits has it; nobody need
        self._waiters.clear()
        self._pings.clear()
