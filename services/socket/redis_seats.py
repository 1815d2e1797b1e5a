"""How many connections each user has over all replicas, kept in Redis."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType

if TYPE_CHECKING:
    from redis.commands.core import AsyncScript

__all__ = ["RedisSeats"]

_log = get_logger("bedplate.socket")

_LEASE: Final = 30.0
"""Seconds after which the connections of a replica that was not heard of count no more."""
_CHUNK: Final = 500
_TAKE: Final = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""

Seat = tuple[uuid.UUID, str]


class RedisSeats:
    """Seats of users: one for each connection, good for a lease that is renewed as long as the connection is there.

    The clocks of replicas may differ by some seconds: a seat is good for half a minute.

    Args:
        engine: The clients.
        clock: Seconds since the epoch.
    """

    def __init__(self, engine: RedisEngine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._prefix = f"{engine.key_prefix}{ServiceType.SOCKET}:seats:"
        self._taken: set[Seat] = set()
        self._returned: list[Seat] = []
        self._news = asyncio.Event()
        self._script: AsyncScript | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to renew seats."""
        self._script = self._engine.client(ServiceType.SOCKET).register_script(_TAKE)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._keep_renewing(), name="bedplate-socket-seats"),
            loop.create_task(self._keep_returning(), name="bedplate-socket-seats-returned"),
        ]

    async def stop(self) -> None:
        """Give all seats back, as far as Redis can be reached."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            self._tasks.clear()
            seats = [*self._taken, *self._returned]
            self._taken.clear()
            self._returned.clear()
            with contextlib.suppress(BedplateError):
                await self._return(seats)

    async def take(self, user_id: uuid.UUID, connection_id: str, limit: int) -> bool:
        """Take a seat; whether there was one.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        if self._script is None:
            raise UnavailableError("the seats are not kept", service=ServiceType.SOCKET)
        now, lease = self._now(), round(_LEASE * 1e3)
        self._taken.add((user_id, connection_id))
        taken = False
        try:
            with self._engine.typed_errors(ServiceType.SOCKET):
                taken = bool(
                    await self._script(
                        keys=[self._key(user_id)], args=[now, now + lease, 2 * lease, limit, connection_id]
                    )
                )
        finally:
            if not taken:
                self.give_back(user_id, connection_id)
        return taken

    def give_back(self, user_id: uuid.UUID, connection_id: str) -> None:
        """The connection has gone."""
        if (user_id, connection_id) in self._taken:
            self._taken.discard((user_id, connection_id))
            self._returned.append((user_id, connection_id))
            self._news.set()

    async def count(self, user_id: uuid.UUID) -> int:
        """How many connections a user has.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        client: Any = self._engine.client(ServiceType.SOCKET)
        with self._engine.typed_errors(ServiceType.SOCKET):
            return int(await client.zcount(self._key(user_id), f"({self._now()}", "+inf"))

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(_LEASE / 3)
            seats = list(self._taken)
            lease = round(_LEASE * 1e3)
            try:
                for chunk, pipeline in self._chunks(seats):
                    until = self._now() + lease
                    for user_id, connection_id in chunk:
                        if (user_id, connection_id) in self._taken:
                            pipeline.zadd(self._key(user_id), {connection_id: until})
                            pipeline.pexpire(self._key(user_id), 2 * lease)
                    with self._engine.typed_errors(ServiceType.SOCKET):
                        await pipeline.execute()
            except BedplateError as error:
                _log.warning("connections could not be counted on; trying again", error=type(error).__name__)

    async def _keep_returning(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            seats, self._returned = self._returned, []
            with contextlib.suppress(BedplateError):  # they end with their lease
                await self._return(seats)

    async def _return(self, seats: list[Seat]) -> None:
        for chunk, pipeline in self._chunks(seats):
            for user_id, connection_id in chunk:
                pipeline.zrem(self._key(user_id), connection_id)
            with self._engine.typed_errors(ServiceType.SOCKET):
                await pipeline.execute()

    def _chunks(self, seats: list[Seat]) -> Iterable[tuple[list[Seat], Any]]:
        for start in range(0, len(seats), _CHUNK):
            yield seats[start : start + _CHUNK], self._engine.client(ServiceType.SOCKET).pipeline(transaction=False)

    def _now(self) -> int:
        return round(self._clock() * 1e3)

    def _key(self, user_id: uuid.UUID) -> str:
        return f"{self._prefix}{user_id}"
