"""Feeds: numbered events by name, the latest of them kept in Redis, delivered in order to every process that watches.

An event is numbered, kept and published by one script; publishing wakes whoever listens, and the kept events fill
what a listener has missed, so that it gets each once and in order, or learns that there is a gap.
"""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_feeds_delivery import RETRY, FeedDelivery, WatchedFeed
from bedplate.services.engines.redis_feeds_outbox import FeedOutbox
from bedplate.services.engines.redis_feeds_store import LEASE, FeedBacklog, FeedLimits, FeedPlace, FeedStore
from bedplate.services.engines.redis_subscription import RedisSubscription
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType

__all__ = ["RedisFeeds"]

_log = get_logger("bedplate.redis")

_CHUNK: Final = 200
"""Feeds that are registered by one script."""
_FAREWELL: Final = 2.0
"""Seconds that last events and farewells may take at stop."""


class RedisFeeds:
    """The feeds of one service.

    Args:
        engine: The clients.
        service: Whose.
        limits: How much is kept.
        on_event: Called with name, epoch, number and payload of each event of the feeds that are watched, in order.
        on_gap: Called with the name of a feed of which events are missing, or of which another count has begun.
        clock: Seconds; None: those of the server, which all processes share.
    """

    def __init__(
        self,
        engine: RedisEngine,
        service: ServiceType,
        limits: FeedLimits,
        on_event: Callable[[str, str, int, bytes], None],
        on_gap: Callable[[str], None],
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._service = service
        self._limits = limits
        self._store = FeedStore(engine, service, limits, clock)
        self._feeds: dict[str, WatchedFeed] = {}
        self._delivery = FeedDelivery(self._feeds, self.since, self._spawn, on_event, on_gap)
        self._registrations = count(1)
        self._lost = 0
        self._due = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._outbox: FeedOutbox | None = None
        self._subscription: RedisSubscription | None = None

    @property
    def lost(self) -> int:
        """How many events of this process were lost since it was made."""
        return self._lost + (0 if self._outbox is None else self._outbox.lost)

    @property
    def connected(self) -> bool:
        """Whether what is published is heard at once, as far as is known."""
        return self._subscription is not None and self._subscription.connected

    @property
    def prefix(self) -> str:
        """What the keys of the feeds begin with: the only key that scripts with events of their own are given."""
        return self._store.prefix

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What such scripts are given first."""
        return self._store.arguments

    async def start(self) -> None:
        """Begin to listen and to send.

        Raises:
            RedisUnavailableError: The server does not answer.
            RedisSettingError: It refuses.
        """
        await self._store.start()
        limits = self._limits
        self._outbox = FeedOutbox(self._store.execute, max_items=limits.waiting, max_bytes=limits.waiting_bytes)
        self._subscription = RedisSubscription(self._engine, self._service, self._heard, self._due.set)
        self._outbox.start()
        self._subscription.start()
        self._spawn(self._keep_registering())
        await self._subscription.barrier()

    async def stop(self) -> None:
        """Send what waits, within two seconds, leave every feed, and listen no more."""
        for name in list(self._feeds):
            self.unwatch(name)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            try:
                if self._outbox is not None:
                    await self._outbox.stop(_FAREWELL if self.connected else 0.0)
            finally:
                if self._subscription is not None:
                    await self._subscription.stop()
        self._lost = self.lost
        self._subscription = self._outbox = None

    async def watch(self, name: str) -> FeedPlace:
        """Have the events of a feed kept and delivered from now on; returns the place of the next.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses.
        """
        self._parts()
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = WatchedFeed(next(self._registrations))
            feed.entering = self._spawn(self._enter(name, feed))
        if feed.place is None:
            assert feed.entering is not None  # noqa: S101 - set with the feed
            await asyncio.shield(feed.entering)
        if feed.place is None:
            raise UnavailableError("the feeds are stopped", service=self._service)
        return feed.place

    def unwatch(self, name: str) -> None:
        """Have the events of a feed delivered no more."""
        feed = self._feeds.pop(name, None)
        if feed is None or self._subscription is None:
            return
        self._subscription.unsubscribe(self._channel(name))
        self._leave(name, feed)

    def publish(self, name: str, payload: bytes) -> None:
        """Send an event; returns at once. It is lost if nobody watches the feed, or has lately."""
        if self._outbox is not None:
            self._outbox.say(name, payload)

    async def since(self, name: str, place: FeedPlace) -> FeedBacklog:
        """What a feed has had since a place, as far as it is kept.

        Raises:
            UnavailableError: The server cannot be reached.
            BedplateError: It refuses.
        """
        backlog = await self._store.since(name, place)
        if backlog is not None:
            return backlog
        feed = self._feeds.get(name)
        if feed is None:
            return FeedBacklog((), False, FeedPlace("", 0))
        (begun,) = await self._store.register([(name, feed.registration)])  # the server has lost it
        return FeedBacklog((), False, begun)

    async def settled(self) -> None:
        """Return when everything that was published by now has been delivered here.

        Raises:
            UnavailableError: The server cannot be reached.
        """
        outbox, subscription = self._parts()
        await outbox.flushed()
        await subscription.barrier()
        await self._delivery.settled()

    async def _enter(self, name: str, feed: WatchedFeed) -> None:
        _, subscription = self._parts()
        try:
            await subscription.subscribe(self._channel(name))
            (feed.place,) = await self._store.register([(name, feed.registration)])
        except BaseException:
            if self._feeds.get(name) is feed:
                del self._feeds[name]
                subscription.unsubscribe(self._channel(name))
            raise
        if self._feeds.get(name) is feed:
            self._delivery.fill(name, feed)
        else:
            self._leave(name, feed)

    def _leave(self, name: str, feed: WatchedFeed) -> None:
        if self._outbox is not None and feed.place is not None:
            self._outbox.leave(name, f"{self._store.replica}:{feed.registration}".encode())

    def hear(self, name: str, epoch: str, offset: int, payload: bytes) -> None:
        """Deliver an event of which this process knows already, unless it has been delivered, or others go before."""
        self._delivery.hear(name, epoch, offset, payload)

    def _heard(self, channel: str, data: bytes) -> None:
        epoch, offset, payload = data.split(b" ", 2)
        self.hear(channel[len(self._store.prefix) + len("feed:") :], epoch.decode(), int(offset), payload)

    async def _keep_registering(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEASE / 3):
                    await self._due.wait()
            self._due.clear()
            try:
                await self._register_all()
            except BedplateError as error:
                _log.warning("feeds could not be watched on; trying again", error=type(error).__name__)
                await asyncio.sleep(RETRY)
                self._due.set()

    async def _register_all(self) -> None:
        """Go on watching, and see what has been missed."""
        watched = [(name, feed) for name, feed in self._feeds.items() if feed.place is not None]
        for start in range(0, len(watched), _CHUNK):
            chunk = watched[start : start + _CHUNK]
            before = [feed.place for _, feed in chunk]
            places = await self._store.register([(name, feed.registration) for name, feed in chunk])
            for (name, feed), place, known in zip(chunk, places, before, strict=True):
                self._compare(name, feed, place, known)

    def _compare(self, name: str, feed: WatchedFeed, place: FeedPlace, known: FeedPlace | None) -> None:
        if self._feeds.get(name) is not feed or known is None:
            return
        if place.epoch == known.epoch and place.offset < known.offset and self._outbox is not None:
            # The server has fallen back to an older state: what it counts from there has been counted before.
            self._outbox.cut(name)
        if feed.place != place and not feed.behind:
            feed.ahead = place
        self._delivery.fill(name, feed)

    def _parts(self) -> tuple[FeedOutbox, RedisSubscription]:
        if self._outbox is None or self._subscription is None:
            raise UnavailableError("the feeds are not started", service=self._service)
        return self._outbox, self._subscription

    def _channel(self, name: str) -> str:
        return f"{self._store.prefix}feed:{name}"

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=f"bedplate-{self._service}-feed")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, BedplateError):  # whoever waits for it has those
            _log.error("a feed failed", service=self._service, exc_info=error)
