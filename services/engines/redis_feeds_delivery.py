"""The events of the feeds that a process watches, delivered once and in order, or told of as a gap."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from bedplate.services.engines.redis_feeds_store import FeedBacklog, FeedPlace
from bedplate.services.errors import BedplateError

__all__ = ["RETRY", "FeedDelivery", "WatchedFeed"]

RETRY: Final = 0.5
"""Seconds after which what failed is tried again."""


class WatchedFeed:
    """A feed that this process watches.

    Attributes:
        registration: The number of this watch; an earlier one's end does not end it.
        place: Up to where its events have been delivered; None as long as it is not registered.
        ahead: A place that has been heard of and not been reached yet.
        filling: Reads what was missed, while it does.
        entering: Registers it.
    """

    __slots__ = ("ahead", "entering", "filling", "place", "registration")

    def __init__(self, registration: int) -> None:
        self.registration = registration
        self.place: FeedPlace | None = None
        self.ahead: FeedPlace | None = None
        self.filling: asyncio.Task[None] | None = None
        self.entering: asyncio.Task[None] | None = None

    @property
    def behind(self) -> bool:
        """Whether there is something that was heard of and has not been delivered."""
        if self.ahead is None or self.place is None:
            return False
        return self.ahead.epoch != self.place.epoch or self.ahead.offset > self.place.offset


class FeedDelivery:
    """Delivers what is heard, and reads what was missed.

    Args:
        feeds: Those that are watched, by name.
        since: Reads what a feed has had since a place.
        spawn: Runs something beside the caller.
        on_event: Called with name, epoch, number and payload of each event, in order.
        on_gap: Called with the name of a feed of which events are missing, or of which another count has begun.
    """

    def __init__(
        self,
        feeds: Mapping[str, WatchedFeed],
        since: Callable[[str, FeedPlace], Awaitable[FeedBacklog]],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        on_event: Callable[[str, str, int, bytes], None],
        on_gap: Callable[[str], None],
    ) -> None:
        self._feeds = feeds
        self._since = since
        self._spawn = spawn
        self._on_event = on_event
        self._on_gap = on_gap

    def hear(self, name: str, epoch: str, offset: int, payload: bytes) -> None:
        """Deliver an event of which this process knows already, unless it has been delivered, or others go before."""
        feed = self._feeds.get(name)
        if feed is None:
            return
        place = feed.place
        if place is not None and epoch == place.epoch:
            if offset <= place.offset:
                return
            if offset == place.offset + 1 and feed.filling is None:
                feed.place = FeedPlace(epoch, offset)
                self._on_event(name, epoch, offset, payload)
                return
        feed.ahead = FeedPlace(epoch, offset)
        self.fill(name, feed)

    def fill(self, name: str, feed: WatchedFeed) -> None:
        """Deliver what was heard of and is missing, as it is kept."""
        if feed.behind and feed.filling is None:
            feed.filling = self._spawn(self._keep_filling(name, feed))

    async def _keep_filling(self, name: str, feed: WatchedFeed) -> None:
        try:
            while feed.behind and self._feeds.get(name) is feed:
                try:
                    await self._fill_once(name, feed)
                except BedplateError:
                    await asyncio.sleep(RETRY)
        finally:
            feed.filling = None

    async def _fill_once(self, name: str, feed: WatchedFeed) -> None:
        assert feed.place is not None  # noqa: S101 - it is behind
        backlog = await self._since(name, feed.place)
        if self._feeds.get(name) is not feed:
            return
        if not backlog.complete:
            feed.place = feed.ahead = backlog.place
            self._on_gap(name)
            return
        for payload in backlog.events:
            feed.place = FeedPlace(feed.place.epoch, feed.place.offset + 1)
            self._on_event(name, *feed.place, payload)

    async def settled(self) -> None:
        """Return when nothing is being read that was missed."""
        while filling := [feed.filling for feed in self._feeds.values() if feed.filling is not None]:
            await asyncio.wait(filling)
