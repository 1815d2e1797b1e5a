"""The cache at a Redis or Valkey server: shared by all replicas, and bounded by the memory of the server."""

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Self
from weakref import WeakValueDictionary

import msgspec

from bedplate.services.cache.backend import Counts, Leases, Reader, Stale, Terms, Usage
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.models import MISS, Item
from bedplate.services.cache.news import News
from bedplate.services.cache.redis_leases import RedisLeases
from bedplate.services.cache.redis_names import fresh
from bedplate.services.cache.redis_scripts import (
    CLEAR,
    DELETE,
    DETAILS,
    HEAD,
    INVALIDATE,
    LEFT,
    MOMENT,
    PUT,
    RAW,
    READ,
    SWAP,
    TOUCH,
)
from bedplate.services.cache.redis_server import RedisServer
from bedplate.services.cache.redis_sweep import RedisSweep
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.settings import SettingsService

__all__ = ["SIMPLE", "Found", "RedisBackend"]

SIMPLE = 128
"""Length of an ASCII key up to which it is a possible one, where no setting says less."""

_LONGEST_LIFE = 100 * 365 * 86_400.0
"""Seconds beyond which a time is none."""
_MOMENT_KEPT = 86_400_000
"""Milliseconds for which a load may take before its tags are forgotten, and its value is not kept."""


class Found(msgspec.Struct, frozen=True):
    """An item that is there, or is within its grace.

    Attributes:
        item: The item.
        left: Seconds until its time is over; not positive within its grace, ``inf`` for ever.
        tags: Its tags.
        digest: Tells whether it is still the same; empty unless asked for.
    """

    item: Item
    left: float
    tags: tuple[str, ...]
    digest: bytes


class RedisBackend:
    """Keeps items at the server that the cache's settings name.

    How much it keeps is bounded by the server (``maxmemory``), and what goes first by the server's policy.

    Args:
        engine: The clients.
        codec: Reads values back.
        lease: Seconds for which one replica loads a value while the others wait; 0: each loads for itself.
        simple: Length up to which an ASCII key is a possible one.
    """

    name = "redis"
    instant = near = False

    def __init__(self, engine: RedisEngine, codec: Codec, *, lease: float = 10.0, simple: int = SIMPLE) -> None:
        self.evictions: dict[str, int] = {}
        self._server = RedisServer(engine)
        self.names = self._server.names
        self.leases: Leases | None = RedisLeases(self._server, lease) if lease else None
        self._decode = codec.decode
        self._simple = simple
        self._sweep = RedisSweep(self._server)
        self._updating: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def from_settings(cls, settings: SettingsService, codec: Codec, *, redis: RedisEngine) -> Self:
        """See :class:`~bedplate.services.cache.backend.CacheBackend`."""
        values = settings.values.cache
        return cls(redis, codec, lease=values.load_lease, simple=min(SIMPLE, values.max_key_bytes))

    async def start(self) -> None:
        """Reach the server; raises as :meth:`RedisServer.start`."""
        await self._server.start()

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._server.stop()

    async def check(self) -> None:
        """Raise if the server does not answer."""
        await self._server.check()

    def reader(self, namespace: str, counts: Counts, otherwise: Reader) -> Reader:
        """What answers for a simple key and a value without details, in one frame."""
        beginning, generation = self.names.item(namespace, ""), self.names.generation(namespace)
        server, decode, simple = self._server, self._decode, self._simple

        async def get(key: str) -> Any:
            if not server.started or type(key) is not str or not 0 < len(key) <= simple or not key.isascii():
                return await otherwise(key)
            value, present = await server.get((beginning + key, generation))
            if value is None or value[1:HEAD] != present:
                counts.misses += 1
                return MISS
            if value[0] >= DETAILS:
                return await otherwise(key)
            try:
                answer = value[HEAD:] if value[0] == RAW else decode(value[HEAD:])
            except Exception:
                return await otherwise(key)  # which says what is wrong
            counts.hits += 1
            return answer

        return get

    async def get(self, namespace: str, keys: Iterable[str]) -> dict[str, Item]:
        """The items that are there, now marked as used."""
        wanted = list(keys)
        names = [self.names.item(namespace, key) for key in wanted]
        *values, present = await self._server.get([*names, self.names.generation(namespace)])
        found: dict[str, Item] = {}
        detailed: list[str] = []
        for key, value in zip(wanted, values, strict=True):
            if value is None or value[1:HEAD] != present:
                continue
            if value[0] >= DETAILS:
                detailed.append(key)
            else:
                found[key] = Item(value[HEAD:], value[0] == RAW)
        if detailed:
            looked = await asyncio.gather(*(self.look(namespace, key) for key in detailed))
            found |= {key: one.item for key, one in zip(detailed, looked, strict=True) if one and one.left > 0}
        return found

    async def look(self, namespace: str, key: str, *, digest: bool = False) -> Found | None:
        """An item that is there, or is within its grace, with what is known of it."""
        keys = (self.names.item(namespace, key), self.names.generation(namespace))
        answer = await self._server.run(READ, keys, self.names.tags(namespace), int(digest))
        if answer is None:
            return None
        flags, left, data, sha, *tags = answer
        return Found(Item(data, flags == RAW), float(left) / 1000, tuple(tag.decode() for tag in tags), sha)

    async def stale(self, namespace: str, key: str) -> Stale | None:
        """An item that is there, or is within its grace, now marked as used."""
        found = await self.look(namespace, key)
        return None if found is None else Stale(found.item, -found.left)

    async def put(self, namespace: str, items: Mapping[str, Item], terms: Terms) -> bool:
        """Keep the items, each in place of what was there; whether they were kept."""
        if not items:
            return True
        since: Sequence[bytes | str] = terms.since if isinstance(terms.since, tuple) else [""] * len(terms.tags)
        parts: list[bytes | int] = []
        for item in items.values():
            parts += (RAW if item.raw else 0, item.data)
        keys = [self.names.generation(namespace)]
        keys += [self.names.item(namespace, key) for key in items]
        keys += [self.names.load(namespace, key) for key in items]
        kept = await self._server.run(
            PUT,
            keys,
            self.names.tags(namespace),
            fresh(),
            _life(terms.lifetime + terms.grace),
            _life(terms.grace),
            terms.lease,
            self.names.channel,
            News.of_keys(namespace, items),
            len(terms.tags),
            *terms.tags,
            *since,
            *parts,
        )
        return bool(kept)

    async def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], terms: Terms, keep: bool
    ) -> Item:
        """Replace an item by what ``change`` makes of it, again if somebody else was faster."""
        name = self.names.item(namespace, key)
        lock = self._updating.get(name)
        if lock is None:
            lock = self._updating[name] = asyncio.Lock()
        async with lock:  # those of this process one after another: they would only make each other try again
            while True:
                found = await self.look(namespace, key, digest=True)
                if found is not None and found.left <= 0:
                    found = None
                item = change(None if found is None else found.item)
                if await self._swap(namespace, key, item, found, terms, keep):
                    return item

    async def _swap(self, namespace: str, key: str, item: Item, found: Found | None, terms: Terms, keep: bool) -> bool:
        tags = terms.tags if found is None else tuple(dict.fromkeys((*found.tags, *terms.tags)))
        swapped = await self._server.run(
            SWAP,
            (self.names.generation(namespace), self.names.item(namespace, key), self.names.load(namespace, key)),
            self.names.tags(namespace),
            fresh(),
            -1 if keep and found is not None else _life(terms.lifetime + terms.grace),
            _life(terms.grace),
            b"" if found is None else found.digest,
            self.names.channel,
            News.of_keys(namespace, (key,)),
            RAW if item.raw else 0,
            item.data,
            *tags,
        )
        return bool(swapped)

    async def delete(self, namespace: str, key: str) -> bool:
        """Forget an item, and what is being loaded for it on any replica; whether it was there."""
        keys = (
            self.names.item(namespace, key),
            self.names.generation(namespace),
            self.names.load(namespace, key),
        )
        news = News.of_keys(namespace, (key,))
        return bool(await self._server.run(DELETE, keys, self.names.tags(namespace), self.names.channel, news))

    async def left(self, namespace: str, key: str) -> float | None:
        """Seconds that an item still has; None: it is not there."""
        keys = (self.names.item(namespace, key), self.names.generation(namespace))
        left = await self._server.run(LEFT, keys, self.names.tags(namespace))
        return None if left is None else float(left) / 1000

    async def touch(self, namespace: str, key: str, lifetime: float) -> bool:
        """Give an item a new lifetime, and mark it as used; whether it was there."""
        keys = (self.names.item(namespace, key), self.names.generation(namespace))
        news = News.of_keys(namespace, (key,))
        tags, life = self.names.tags(namespace), _life(lifetime)
        return bool(await self._server.run(TOUCH, keys, tags, life, self.names.channel, news))

    async def moment(self, namespace: str, tags: Collection[str]) -> object:
        """The generations of the tags."""
        beginning = self.names.tags(namespace)
        return tuple(await self._server.run(MOMENT, (), beginning, fresh(), _MOMENT_KEPT, *tags))

    async def invalidate(self, namespace: str, tags: Collection[str]) -> None:
        """End the generations of the tags; what has one of them is removed when the server is swept."""
        if tags:
            beginning = self.names.tags(namespace)
            keys = [beginning + tag for tag in tags]
            await self._server.run(INVALIDATE, keys, self.names.channel, News.of_tags(namespace, tags))

    async def clear(self, namespace: str) -> int:
        """Begin a new generation of a namespace, and remove what is of the one before; how many items there were."""
        generation = self.names.generation(namespace)
        ended = await self._server.run(CLEAR, (generation,), fresh(), self.names.channel, News.of_namespace(namespace))
        return await self._sweep.cleared(namespace, ended)

    async def purge(self, every: float | None = None) -> int:
        """Remove what was invalidated, and count the rest. What has expired, the server has removed itself: 0."""
        await self._sweep.census(every)
        return 0

    def usage(self) -> Mapping[str, Usage]:
        """How much each namespace takes up, as counted last by any replica."""
        return self._sweep.usage


def _life(seconds: float) -> int:
    """Milliseconds, not less; 0: without an end."""
    return 0 if seconds > _LONGEST_LIFE else math.ceil(seconds * 1000)
