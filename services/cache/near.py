"""The near tier of the two-tier cache: what a replica has read from the server, in its memory, while it hears of news.

A value that is on its way may be out of date before it arrives: the news of it come over another connection. So who
fetches one says so before, and news that come meanwhile spoil the fetch: its value is given to who asked, and not kept.
"""

import time
from collections.abc import Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from bedplate.services.cache.backend import Counts, Reader, Terms
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.errors import UndecodableError
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.cache.models import Item
from bedplate.services.cache.news import News
from bedplate.services.logs import get_logger

__all__ = ["Fetch", "NearTier"]

T = TypeVar("T")

_log = get_logger("bedplate.cache")


class Fetch:
    """A value on its way from the server.

    Attributes:
        spoilt: Whether it may be out of date when it arrives.
    """

    __slots__ = ("_begun", "_key", "_namespace", "_tier", "spoilt")

    def __init__(self, tier: "NearTier", namespace: str, key: str) -> None:
        self.spoilt = False
        self._tier = tier
        self._namespace = namespace
        self._key = key
        self._begun = time.monotonic()

    def keep(self, item: Item, left: float, tags: Sequence[str]) -> Item:
        """Keep the value that has arrived, unless it is spoilt; the item as it is kept."""
        return self._tier.keep(self, self._namespace, self._key, item, left - (time.monotonic() - self._begun), tags)


class NearTier:
    """What is in memory of what is at the server. No method waits.

    Args:
        memory: Keeps it.
        codec: Decodes what nobody can change once, instead of for each caller.
        most: Seconds that an item is kept at most, in case that news are lost unnoticed.
    """

    def __init__(self, memory: MemoryBackend, codec: Codec, most: float) -> None:
        self._memory = memory
        self._codec = codec
        self._most = most
        self._open = False
        self._fetches: dict[str, dict[str, set[Fetch]]] = {}

    def open(self) -> None:
        """Keep what is fetched from now on: all news will be heard."""
        self._open = True

    def shut(self) -> None:
        """Forget everything, and keep nothing: news are missed."""
        self._open = False
        for namespace in list(self._fetches):
            self._spoil(namespace)
        _now(self._memory.stop())

    def hear(self, message: bytes) -> None:
        """Forget what a replica says has gone; all, if it cannot be understood."""
        try:
            news = News.read(message)
        except msgspec.MsgspecError as error:
            _log.warning("news of the cache could not be read, so all in memory is forgotten", error=error)
            self.shut()
            self._open = True
            return
        match news.what:
            case "keys":
                self.forget(news.namespace, news.names)
            case "tags":
                self.forget_tags(news.namespace, news.names)
            case "all":
                self.forget_all(news.namespace)

    def reader(self, namespace: str, counts: Counts, otherwise: Reader) -> Reader:
        """What answers from memory."""
        return self._memory.reader(namespace, counts, otherwise)

    def get(self, namespace: str, keys: Iterable[str]) -> dict[str, Item]:
        """Those that are in memory."""
        return _now(self._memory.get(namespace, keys))

    def forget(self, namespace: str, keys: Iterable[str]) -> None:
        """Some keys were written or deleted."""
        fetches = self._fetches.get(namespace, {})
        for key in keys:
            for fetch in fetches.get(key, ()):
                fetch.spoilt = True
            _now(self._memory.delete(namespace, key))

    def forget_tags(self, namespace: str, tags: Collection[str]) -> None:
        """Some tags were invalidated; which fetches have them, nobody knows yet."""
        self._spoil(namespace)
        _now(self._memory.invalidate(namespace, tags))

    def forget_all(self, namespace: str) -> None:
        """A namespace was cleared."""
        self._spoil(namespace)
        _now(self._memory.clear(namespace))

    def purge(self) -> None:
        """Remove what has expired."""
        _now(self._memory.purge())

    @contextmanager
    def fetching(self, namespace: str, key: str) -> Iterator[Fetch]:
        """Fetch a key from the server in the block."""
        fetch = Fetch(self, namespace, key)
        by_key = self._fetches.setdefault(namespace, {})
        fetches = by_key.setdefault(key, set())
        fetches.add(fetch)
        try:
            yield fetch
        finally:
            fetches.discard(fetch)
            if not fetches:
                del by_key[key]

    def keep(self, fetch: Fetch, namespace: str, key: str, item: Item, left: float, tags: Sequence[str]) -> Item:
        """See :meth:`Fetch.keep`."""
        if fetch.spoilt or not self._open or left <= 0:
            return item
        try:
            item = self._codec.settled(item)
        except UndecodableError:
            return item  # whoever reads it says so
        _now(self._memory.put(namespace, {key: item}, Terms(lifetime=min(left, self._most), tags=tuple(tags))))
        return item

    def _spoil(self, namespace: str) -> None:
        for fetches in self._fetches.get(namespace, {}).values():
            for fetch in fetches:
                fetch.spoilt = True


def _now(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that never suspends, which the memory backend promises of all of its own."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise RuntimeError("the memory backend has waited")
