"""The cache in this process: bounded by entries and bytes, gone when the process ends."""

import heapq
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count
from math import inf
from typing import Any, Self

from bedplate.services.cache.backend import Counts, Limits, Reader, Stale, Terms, Usage
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.memory_shelf import Entry, Shelf, Tag
from bedplate.services.cache.models import Item
from bedplate.services.settings import SettingsService

__all__ = ["MemoryBackend"]


class MemoryBackend:
    """Keeps items in dictionaries.

    No method waits, so that on one event loop each is atomic without a lock.

    Args:
        limits: How much to keep.
        decode: Makes a new value of encoded bytes.
        clock: Seconds that only grow.
    """

    name = "memory"
    instant = near = True
    leases = None

    def __init__(
        self, limits: Limits, decode: Callable[[bytes], Any], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.evictions: dict[str, int] = {}
        self._limits = limits
        self._decode = decode
        self._clock = clock
        self._shelves: dict[str, Shelf] = {}
        self._entries = 0
        self._bytes = 0
        # Entries by the time they go. One that was removed, or given another time, stays, without its value, until it
        # is met or until half of them are such; the number breaks ties, as entries have no order.
        self._due: list[tuple[float, int, Entry]] = []
        self._number = count()
        self._dead: list[Tag] = []

    @classmethod
    def from_settings(cls, settings: SettingsService, codec: Codec) -> Self:
        """See :class:`~bedplate.services.cache.backend.CacheBackend`."""
        return cls(Limits.of(settings.values.cache), codec.decode)

    async def start(self) -> None:
        """Do nothing: there is nothing to open."""

    async def stop(self) -> None:
        """Forget everything."""
        for shelf in self._shelves.values():
            shelf.empty()
        self._entries = self._bytes = 0
        self._due.clear()
        self._dead.clear()

    async def check(self) -> None:
        """Do nothing: there is nothing that could be down."""

    def reader(self, namespace: str, counts: Counts, otherwise: Reader) -> Reader:
        """The whole of a ``get`` on one namespace: one frame, with everything that it needs at hand."""
        entries = self._shelf(namespace).entries
        touch = entries.move_to_end
        clock, decode, is_fresh = self._clock, self._decode, self._is_fresh

        async def get(key: str) -> Any:
            try:
                entry = entries[key]
            except (KeyError, TypeError):
                return await otherwise(key)
            now = clock()
            if now >= entry.gate and not is_fresh(entry, now):
                return await otherwise(key)
            entry.used = now
            touch(key)
            counts.hits += 1
            if entry.packed:
                return decode(entry.value)
            return entry.value

        return get

    async def get(self, namespace: str, keys: Iterable[str]) -> dict[str, Item]:
        """The items that are there, now marked as used."""
        shelf = self._shelf(namespace)
        found = {}
        for key in keys:
            if (entry := self._live(shelf, key)) is not None:
                self._use(entry)
                found[key] = entry.item
        return found

    async def stale(self, namespace: str, key: str) -> Stale | None:
        """An item that is there, or is within its grace, now marked as used."""
        shelf = self._shelf(namespace)
        self._live(shelf, key)  # which removes what is neither
        entry = shelf.entries.get(key)
        if entry is None:
            return None
        self._use(entry)
        return Stale(entry.item, self._clock() - entry.due)

    async def put(self, namespace: str, items: Mapping[str, Item], terms: Terms) -> bool:
        """Keep the items, each in place of what was there; whether they were kept."""
        shelf = self._shelf(namespace)
        tags = shelf.tagged(terms.tags) if terms.since is None else shelf.still_tagged(terms.since)
        if tags is None:
            return False
        due = self._clock() + terms.lifetime
        for key, item in items.items():
            self._put(Entry(shelf, key, item, tags), due, terms.grace)
        return True

    async def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], terms: Terms, keep: bool
    ) -> Item:
        """Replace an item by what ``change`` makes of it; nobody writes in between, as nothing waits."""
        shelf = self._shelf(namespace)
        entry = self._live(shelf, key)
        item = change(None if entry is None else entry.item)
        tags, due, grace = shelf.tagged(terms.tags), self._clock() + terms.lifetime, terms.grace
        if entry is not None:
            tags = tuple(dict.fromkeys((*entry.tags, *tags)))
            if keep:
                due, grace = entry.due, entry.grace
        self._put(Entry(shelf, key, item, tags), due, grace)
        return item

    async def delete(self, namespace: str, key: str) -> bool:
        """Forget an item; whether it was there."""
        shelf = self._shelf(namespace)
        was_there = self._live(shelf, key) is not None
        if (entry := shelf.entries.get(key)) is not None:
            self._remove(entry)
        return was_there

    async def left(self, namespace: str, key: str) -> float | None:
        """Seconds that an item still has; None: it is not there."""
        entry = self._live(self._shelf(namespace), key)
        return None if entry is None else entry.due - self._clock()

    async def touch(self, namespace: str, key: str, lifetime: float) -> bool:
        """Give an item a new lifetime, and mark it as used; whether it was there."""
        entry = self._live(self._shelf(namespace), key)
        if entry is None:
            return False
        self._use(entry)
        self._schedule(entry, self._clock() + lifetime, entry.grace)
        return True

    async def clear(self, namespace: str) -> int:
        """Forget a whole namespace; how many items there were."""
        shelf = self._shelf(namespace)
        self._expire()
        now = self._clock()
        number = sum(now < entry.due for entry in shelf.entries.values())
        self._entries -= len(shelf.entries)
        self._bytes -= shelf.bytes
        shelf.empty()
        self._reschedule()
        return number

    async def purge(self, every: float | None = None) -> int:
        """Remove what has expired; how many items there were."""
        return self._expire()

    async def moment(self, namespace: str, tags: Collection[str]) -> object:
        """The tags as they are now."""
        return self._shelf(namespace).tagged(tags)

    async def invalidate(self, namespace: str, tags: Collection[str]) -> None:
        """Let every item that has one of the tags be gone; they are removed when they are met, or purged."""
        shelf = self._shelf(namespace)
        for name in tags:
            if (tag := shelf.tags.pop(name, None)) is not None:
                tag.dead = True
                self._dead.append(tag)

    def usage(self) -> Mapping[str, Usage]:
        """How much each namespace takes up."""
        return {name: Usage(len(shelf.entries), shelf.bytes) for name, shelf in self._shelves.items()}

    def _shelf(self, namespace: str) -> Shelf:
        shelf = self._shelves.get(namespace)
        if shelf is None:
            shelf = self._shelves[namespace] = Shelf(namespace)
        return shelf

    def _live(self, shelf: Shelf, key: str) -> Entry | None:
        entry = shelf.entries.get(key)
        now = self._clock()
        if entry is None or (now >= entry.gate and not self._is_fresh(entry, now)):
            return None
        return entry

    def _is_fresh(self, entry: Entry, now: float) -> bool:
        """Whether an entry can be answered with; one that is of no use any more is removed."""
        if now >= entry.due + entry.grace or entry.is_dead():
            self._remove(entry)
            return False
        return now < entry.due

    def _use(self, entry: Entry) -> None:
        entry.used = self._clock()
        entry.shelf.entries.move_to_end(entry.key)

    def _put(self, entry: Entry, due: float, grace: float) -> None:
        present = entry.shelf.entries.get(entry.key)
        if present is not None:
            self._remove(present)
        entry.used = self._clock()
        entry.shelf.add(entry)
        self._bytes += entry.cost
        self._entries += 1
        self._schedule(entry, due, grace)
        if self._full():
            self._make_room(entry)

    def _remove(self, entry: Entry) -> None:
        entry.shelf.remove(entry)
        self._bytes -= entry.cost
        self._entries -= 1

    def _schedule(self, entry: Entry, due: float, grace: float) -> None:
        entry.live_until(due, grace)
        if len(self._due) > 2 * self._entries + 64:
            self._reschedule()
        elif due != inf:
            heapq.heappush(self._due, (due + grace, next(self._number), entry))

    def _reschedule(self) -> None:
        entries = (entry for shelf in self._shelves.values() for entry in shelf.entries.values())
        self._due = [(entry.due + entry.grace, next(self._number), entry) for entry in entries if entry.due != inf]
        heapq.heapify(self._due)

    def _expire(self) -> int:
        """Remove what has expired, and what was invalidated; how many of the first."""
        while self._dead:
            for entry in list(self._dead.pop().entries):
                self._remove(entry)
        now = self._clock()
        removed = 0
        while self._due and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)[2]
            if now >= entry.due + entry.grace and entry.shelf.entries.get(entry.key) is entry:
                self._remove(entry)
                removed += 1
        return removed

    def _full(self) -> bool:
        return self._entries > self._limits.entries or self._bytes > self._limits.bytes

    def _make_room(self, newest: Entry) -> None:
        self._expire()
        while self._full():
            oldest = min(
                (next(iter(shelf.entries.values())) for shelf in self._shelves.values() if shelf.entries),
                key=lambda entry: (entry is newest, entry.used),
            )
            self._remove(oldest)
            self.evictions[oldest.shelf.name] = self.evictions.get(oldest.shelf.name, 0) + 1
