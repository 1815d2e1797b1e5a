"""Feeds at the server: what the scripts are given, and what they answer."""

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_feeds_outbox import Item
from bedplate.services.engines.redis_feeds_scripts import BATCH, REGISTER, SINCE
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType

if TYPE_CHECKING:
    from redis.commands.core import AsyncScript

__all__ = ["LEASE", "FeedBacklog", "FeedLimits", "FeedPlace", "FeedStore"]

LEASE: Final = 30.0
"""Seconds after which a process that watches, and was not heard of, does so no more."""


class FeedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept.

    Attributes:
        ttl: Seconds that a feed is kept after nobody has watched it any more.
        events: Most events of one.
        bytes: Most bytes of them.
        total_bytes: Most bytes of all feeds; those that nobody watches give way first.
        waiting: Most events of this process that wait for the server.
        waiting_bytes: Most bytes of them.
    """

    ttl: float
    events: int
    bytes: int
    total_bytes: int
    waiting: int = 10_000
    waiting_bytes: int = 16 * 1024 * 1024


class FeedPlace(NamedTuple):
    """A place in a feed: which count of events, and how many of it have been."""

    epoch: str
    offset: int


class FeedBacklog(NamedTuple):
    """What a feed has had since a place: the events, whether they are all, and the place after them."""

    events: Sequence[bytes]
    complete: bool
    place: FeedPlace


class FeedStore:
    """The feeds of one service at its server.

    Args:
        engine: The clients.
        service: Whose.
        limits: How much is kept.
        clock: Seconds; None: those of the server, which all processes share.

    Attributes:
        replica: How this process is called, from one start to the next.
        prefix: What the keys and channels begin with.
    """

    def __init__(
        self, engine: RedisEngine, service: ServiceType, limits: FeedLimits, clock: Callable[[], float] | None
    ) -> None:
        self._engine = engine
        self._service = service
        self._limits = limits
        self._clock = clock
        self._scripts: dict[str, AsyncScript] = {}
        self.replica = ""
        self.prefix = f"{engine.key_prefix}{service}:"

    async def start(self) -> None:
        """See whether the server answers.

        Raises:
            RedisUnavailableError: It does not.
            RedisSettingError: It refuses.
        """
        await self._engine.ping(self._service)
        client = self._engine.client(self._service)
        self._scripts = {script: client.register_script(script) for script in (REGISTER, BATCH, SINCE)}
        self.replica = secrets.token_hex(8)

    async def register(self, names: Sequence[tuple[str, int]]) -> list[FeedPlace]:
        """Watch feeds for the length of a lease; of each its name and the number of the registration.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses.
        """
        parts = (part for name in names for part in name)
        answer = await self._run(REGISTER, self.replica, round(LEASE * 1e3), secrets.token_hex(4), *parts)
        return [FeedPlace(epoch.decode(), int(offset)) for epoch, offset in answer]

    async def since(self, name: str, place: FeedPlace) -> FeedBacklog | None:
        """What a feed has had since a place, as far as it is kept; None if there is no such feed.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses.
        """
        answer = await self._run(SINCE, name, place.epoch, place.offset)
        if not answer:
            return None
        epoch, offset, complete, events = answer
        return FeedBacklog(events, bool(complete), FeedPlace(epoch.decode(), int(offset)))

    async def execute(self, number: int, batch: Sequence[Item]) -> None:
        """Do what a batch says, once.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses.
        """
        await self._run(BATCH, self.replica, number, *(part for item in batch for part in item))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What every script is given first."""
        now = "" if self._clock is None else round(self._clock() * 1e3)
        limits = self._limits
        return (now, round(limits.ttl * 1e3), limits.events, limits.bytes, limits.total_bytes)

    async def _run(self, script: str, *args: Any) -> Any:
        if script not in self._scripts:
            raise UnavailableError("the feeds are not started", service=self._service)
        with self._engine.typed_errors(self._service):
            return await self._scripts[script](keys=[self.prefix], args=[*self.arguments, *args])
