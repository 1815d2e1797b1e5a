"""What the memory backend keeps of one namespace: its entries, and the tags that they can be invalidated by."""

import weakref
from collections import OrderedDict
from collections.abc import Collection
from math import inf
from typing import Any

from bedplate.services.cache.backend import cost_of
from bedplate.services.cache.models import MISS, Item

__all__ = ["Entry", "Shelf", "Tag"]


class Tag:
    """One generation of a tag: whoever invalidates the tag ends it, and the next entry begins another.

    An entry refers to the generations that it was made in, so that to look whether they still go on is all that an
    answer costs, and to end one is all that an invalidation does, whatever number of entries there is.

    Attributes:
        dead: Whether the tag was invalidated.
        entries: The entries made in it that are still kept.
    """

    __slots__ = ("__weakref__", "dead", "entries", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.entries: set[Entry] = set()


class Entry:
    """One value: the value itself where it is immutable, else its encoded bytes (``packed``).

    ``due`` is when it expires, ``grace`` for how long it is kept as a stale one then, and ``used`` when it was last
    read or written, by the backend's clock. Before ``gate`` nothing else about it needs to be looked at: it is ``due``
    for an entry without tags, and always over for one that has some.
    """

    __slots__ = ("cost", "due", "gate", "grace", "key", "packed", "shelf", "tags", "used", "value")

    def __init__(self, shelf: "Shelf", key: str, item: Item, tags: tuple[Tag, ...]) -> None:
        self.shelf = shelf
        self.key = key
        self.packed = item.scalar is MISS
        self.value: Any = item.data if self.packed else item.scalar
        self.tags = tags
        self.cost = cost_of(key, item, [tag.name for tag in tags] if tags else ())
        self.due = self.gate = inf
        self.grace = 0.0
        self.used = 0.0

    @property
    def item(self) -> Item:
        """The value as it crosses the boundary of a backend; the bytes of a scalar are not kept."""
        return Item(self.value) if self.packed else Item(b"", scalar=self.value)

    def live_until(self, due: float, grace: float) -> None:
        """Give it its time."""
        self.due, self.grace = due, grace
        self.gate = -inf if self.tags else due

    def is_dead(self) -> bool:
        """Whether one of its tags was invalidated."""
        return any(tag.dead for tag in self.tags)


class Shelf:
    """The entries of one namespace, least recently used first.

    Attributes:
        tags: The generations that go on, for as long as an entry or a load refers to them.
    """

    __slots__ = ("bytes", "entries", "name", "tags")

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.tags: weakref.WeakValueDictionary[str, Tag] = weakref.WeakValueDictionary()
        self.bytes = 0

    def add(self, entry: Entry) -> None:
        """Keep an entry whose key is free."""
        self.entries[entry.key] = entry
        self.bytes += entry.cost
        for tag in entry.tags:
            tag.entries.add(entry)

    def remove(self, entry: Entry) -> None:
        """Let go of an entry, and of its value also where somebody still refers to the entry."""
        del self.entries[entry.key]
        self.bytes -= entry.cost
        for tag in entry.tags:
            tag.entries.discard(entry)
        entry.value = None
        entry.tags = ()

    def empty(self) -> None:
        """Let go of everything, and end every generation."""
        for tag in self.tags.values():
            tag.dead = True
            tag.entries.clear()
        self.tags.clear()
        self.entries.clear()
        self.bytes = 0

    def tagged(self, names: Collection[str]) -> tuple[Tag, ...]:
        """The generations of these tags that go on; those that nobody refers to begin."""
        return tuple([self._tag(name) for name in names]) if names else ()

    def still_tagged(self, moment: Any) -> tuple[Tag, ...] | None:
        """The generations of an earlier moment, if all of them go on."""
        tags: tuple[Tag, ...] = moment
        return None if any(tag.dead for tag in tags) else tags

    def _tag(self, name: str) -> Tag:
        tag = self.tags.get(name)
        if tag is None:
            tag = self.tags[name] = Tag(name)
        return tag
