"""The cache in memory over the one at a Redis server: what is read again is answered without waiting.

The server has the truth. Every write goes there, and tells all replicas what has gone; what they read later they keep
in memory for as long as it lives, but no longer than ``memory_ttl``. While a replica cannot hear the others, it answers
nothing from memory.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from typing import Self

import msgspec

from bedplate.services.cache.backend import Counts, Leases, Reader, Stale, Terms, Usage
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.cache.models import Item
from bedplate.services.cache.near import NearTier
from bedplate.services.cache.redis import Found, RedisBackend
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_subscription import RedisSubscription
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService

__all__ = ["TwoTierBackend"]


class TwoTierBackend:
    """Keeps items at the server, and in memory what was read.

    Args:
        tier: What is in memory.
        remote: The server.
        engine: The clients.
    """

    name = "two_tier"
    instant = False
    near = True

    def __init__(self, tier: NearTier, remote: RedisBackend, engine: RedisEngine) -> None:
        self.evictions: dict[str, int] = {}
        self.leases: Leases | None = remote.leases
        self._tier = tier
        self._remote = remote
        self._engine = engine
        self._subscription: RedisSubscription | None = None

    @classmethod
    def from_settings(cls, settings: SettingsService, codec: Codec, *, redis: RedisEngine) -> Self:
        """See :class:`~bedplate.services.cache.backend.CacheBackend`."""
        tier = NearTier(MemoryBackend.from_settings(settings, codec), codec, settings.values.cache.memory_ttl)
        return cls(tier, RedisBackend.from_settings(settings, codec, redis=redis), redis)

    async def start(self) -> None:
        """Reach the server, and listen to the other replicas; raises as that of the Redis backend."""
        await self._remote.start()
        self._subscription = RedisSubscription(
            self._engine,
            ServiceType.CACHE,
            lambda _channel, message: self._tier.hear(message),
            on_restored=self._tier.open,
            on_lost=self._tier.shut,
        )
        self._subscription.start()
        await self._subscription.subscribe(self._remote.names.channel)
        self._tier.open()

    async def stop(self) -> None:
        """Listen no more, and forget what is in memory."""
        self._tier.shut()
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.stop()
        await self._remote.stop()

    async def check(self) -> None:
        """Raise if the server does not answer."""
        await self._remote.check()

    def reader(self, namespace: str, counts: Counts, otherwise: Reader) -> Reader:
        """What answers from memory."""
        return self._tier.reader(namespace, counts, otherwise)

    async def get(self, namespace: str, keys: Iterable[str]) -> dict[str, Item]:
        """The items that are there, from memory where they are in it."""
        wanted = list(keys)
        found = self._tier.get(namespace, wanted)
        missing = [key for key in wanted if key not in found]
        fetched = await asyncio.gather(*(self._fetch(namespace, key) for key in missing))
        return found | {key: one.item for key, one in zip(missing, fetched, strict=True) if one and one.left > 0}

    async def stale(self, namespace: str, key: str) -> Stale | None:
        """An item that is there, or is within its grace, now marked as used."""
        if (item := self._tier.get(namespace, [key]).get(key)) is not None:
            return Stale(item, -inf)
        found = await self._fetch(namespace, key)
        return None if found is None else Stale(found.item, -found.left)

    async def put(self, namespace: str, items: Mapping[str, Item], terms: Terms) -> bool:
        """Keep the items at the server; whether they were kept."""
        try:
            return await self._remote.put(namespace, items, terms)
        finally:
            self._tier.forget(namespace, items)

    async def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], terms: Terms, keep: bool
    ) -> Item:
        """Replace an item at the server by what ``change`` makes of it."""
        try:
            return await self._remote.update(namespace, key, change, terms, keep)
        finally:
            self._tier.forget(namespace, (key,))

    async def delete(self, namespace: str, key: str) -> bool:
        """Forget an item; whether it was there."""
        try:
            return await self._remote.delete(namespace, key)
        finally:
            self._tier.forget(namespace, (key,))

    async def left(self, namespace: str, key: str) -> float | None:
        """Seconds that an item still has; None: it is not there."""
        return await self._remote.left(namespace, key)

    async def touch(self, namespace: str, key: str, lifetime: float) -> bool:
        """Give an item a new lifetime, and mark it as used; whether it was there."""
        try:
            return await self._remote.touch(namespace, key, lifetime)
        finally:
            self._tier.forget(namespace, (key,))

    async def moment(self, namespace: str, tags: Collection[str]) -> object:
        """The generations of the tags."""
        return await self._remote.moment(namespace, tags)

    async def invalidate(self, namespace: str, tags: Collection[str]) -> None:
        """Let every item that has one of the tags be gone, in the memory of every replica too."""
        try:
            await self._remote.invalidate(namespace, tags)
        finally:
            self._tier.forget_tags(namespace, tags)

    async def clear(self, namespace: str) -> int:
        """Forget a whole namespace; how many items there were."""
        try:
            return await self._remote.clear(namespace)
        finally:
            self._tier.forget_all(namespace)

    async def purge(self, every: float | None = None) -> int:
        """Remove from memory what has expired, and from the server what was invalidated: 0, as of the Redis backend."""
        self._tier.purge()
        return await self._remote.purge(every)

    def usage(self) -> Mapping[str, Usage]:
        """How much each namespace takes up at the server, as counted last by any replica."""
        return self._remote.usage()

    async def _fetch(self, namespace: str, key: str) -> Found | None:
        """What is at the server; in memory too from now on, unless news of it came meanwhile."""
        with self._tier.fetching(namespace, key) as fetch:
            found = await self._remote.look(namespace, key)
            if found is not None and found.left > 0:
                found = msgspec.structs.replace(found, item=fetch.keep(found.item, found.left, found.tags))
        return found
