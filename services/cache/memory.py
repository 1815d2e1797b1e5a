"""The cache in this process: bounded by entries and bytes, gone when the process ends."""

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from math import inf
from typing import Any

from bedplate.services.cache.backend import Counts, Limits, Reader, Usage, cost_of
from bedplate.services.cache.models import MISS, Item

__all__ = ["MemoryBackend"]


class _Entry:
    """One value: the value itself where it is immutable, else its encoded bytes (``packed``).

    ``due`` is when it expires and ``used`` when it was last read or written, by the backend's clock.
    """

    __slots__ = ("cost", "due", "key", "packed", "shelf", "used", "value")

    def __init__(self, shelf: "_Shelf", key: str, item: Item) -> None:
        self.shelf = shelf
        self.key = key
        self.packed = item.scalar is MISS
        self.value: Any = item.data if self.packed else item.scalar
        self.cost = cost_of(key, item)
        self.due = inf
        self.used = 0.0

    @property
    def item(self) -> Item:
        """The value as it crosses the boundary of a backend; the bytes of a scalar are not kept."""
        return Item(self.value) if self.packed else Item(b"", scalar=self.value)


class _Shelf:
    """The entries of one namespace, least recently used first."""

    __slots__ = ("bytes", "entries", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: OrderedDict[str, _Entry] = OrderedDict()
        self.bytes = 0


class MemoryBackend:
    """Keeps items in dictionaries.

    No method waits, so that on one event loop each is atomic without a lock.

    Args:
        limits: How much to keep.
        decode: Makes a new value of encoded bytes.
        clock: Seconds that only grow.
    """

    name = "memory"

    def __init__(
        self, limits: Limits, decode: Callable[[bytes], Any], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.evictions: dict[str, int] = {}
        self._limits = limits
        self._decode = decode
        self._clock = clock
        self._shelves: dict[str, _Shelf] = {}
        self._entries = 0
        self._bytes = 0
        # Entries by the time they are due. One that was removed, or given another time, stays, without its value, until
        # it is met or until half of them are such; the number breaks ties, as entries have no order.
        self._due: list[tuple[float, int, _Entry]] = []
        self._number = count()

    async def start(self) -> None:
        """Do nothing: there is nothing to open."""

    async def stop(self) -> None:
        """Forget everything."""
        for shelf in self._shelves.values():
            shelf.entries.clear()
            shelf.bytes = 0
        self._entries = self._bytes = 0
        self._due.clear()

    async def check(self) -> None:
        """Do nothing: there is nothing that could be down."""

    def reader(self, namespace: str, counts: Counts, missed: Callable[[str], None]) -> Reader:
        """The whole of a ``get`` on one namespace: one frame, with everything that it needs at hand."""
        entries = self._shelf(namespace).entries
        touch = entries.move_to_end
        clock, decode, remove = self._clock, self._decode, self._remove

        async def get(key: str) -> Any:
            try:
                entry = entries[key]
            except (KeyError, TypeError):
                missed(key)
                return MISS
            now = clock()
            if now >= entry.due:
                remove(entry)
                missed(key)
                return MISS
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

    async def put(self, namespace: str, items: Mapping[str, Item], lifetime: float) -> None:
        """Keep the items, each in place of what was there."""
        due = self._clock() + lifetime
        for key, item in items.items():
            self._put(self._shelf(namespace), key, item, due)

    async def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], lifetime: float, keep: bool
    ) -> Item:
        """Replace an item by what ``change`` makes of it; nobody writes in between, as nothing waits."""
        shelf = self._shelf(namespace)
        entry = self._live(shelf, key)
        item = change(None if entry is None else entry.item)
        due = entry.due if keep and entry is not None else self._clock() + lifetime
        self._put(shelf, key, item, due)
        return item

    async def delete(self, namespace: str, key: str) -> bool:
        """Forget an item; whether it was there."""
        entry = self._live(self._shelf(namespace), key)
        if entry is None:
            return False
        self._remove(entry)
        return True

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
        self._schedule(entry, self._clock() + lifetime)
        return True

    async def clear(self, namespace: str) -> int:
        """Forget a whole namespace; how many items there were."""
        shelf = self._shelf(namespace)
        self._expire()
        number = len(shelf.entries)
        self._entries -= number
        self._bytes -= shelf.bytes
        shelf.entries.clear()
        shelf.bytes = 0
        self._reschedule()
        return number

    async def purge(self) -> int:
        """Remove what has expired; how many items there were."""
        return self._expire()

    def usage(self) -> Mapping[str, Usage]:
        """How much each namespace takes up."""
        return {name: Usage(len(shelf.entries), shelf.bytes) for name, shelf in self._shelves.items()}

    def _shelf(self, namespace: str) -> _Shelf:
        shelf = self._shelves.get(namespace)
        if shelf is None:
            shelf = self._shelves[namespace] = _Shelf(namespace)
        return shelf

    def _live(self, shelf: _Shelf, key: str) -> _Entry | None:
        entry = shelf.entries.get(key)
        if entry is not None and self._clock() >= entry.due:
            self._remove(entry)
            return None
        return entry

    def _use(self, entry: _Entry) -> None:
        entry.used = self._clock()
        entry.shelf.entries.move_to_end(entry.key)

    def _put(self, shelf: _Shelf, key: str, item: Item, due: float) -> None:
        present = shelf.entries.get(key)
        if present is not None:
            self._remove(present)
        entry = shelf.entries[key] = _Entry(shelf, key, item)
        entry.used = self._clock()
        shelf.bytes += entry.cost
        self._bytes += entry.cost
        self._entries += 1
        self._schedule(entry, due)
        if self._full():
            self._make_room(entry)

    def _remove(self, entry: _Entry) -> None:
        del entry.shelf.entries[entry.key]
        entry.value = None
        entry.shelf.bytes -= entry.cost
        self._bytes -= entry.cost
        self._entries -= 1

    def _schedule(self, entry: _Entry, due: float) -> None:
        entry.due = due
        if len(self._due) > 2 * self._entries + 64:
            self._reschedule()
        elif due != inf:
            heapq.heappush(self._due, (due, next(self._number), entry))

    def _reschedule(self) -> None:
        entries = (entry for shelf in self._shelves.values() for entry in shelf.entries.values())
        self._due = [(entry.due, next(self._number), entry) for entry in entries if entry.due != inf]
        heapq.heapify(self._due)

    def _expire(self) -> int:
        now = self._clock()
        removed = 0
        while self._due and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)[2]
            if now >= entry.due and entry.shelf.entries.get(entry.key) is entry:
                self._remove(entry)
                removed += 1
        return removed

    def _full(self) -> bool:
        return self._entries > self._limits.entries or self._bytes > self._limits.bytes

    def _make_room(self, newest: _Entry) -> None:
        self._expire()
        while self._full():
            oldest = min(
                (next(iter(shelf.entries.values())) for shelf in self._shelves.values() if shelf.entries),
                key=lambda entry: (entry is newest, entry.used),
            )
            self._remove(oldest)
            self.evictions[oldest.shelf.name] = self.evictions.get(oldest.shelf.name, 0) + 1
