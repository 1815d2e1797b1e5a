"""What a backend of the cache does: it keeps items under namespace and key, within bounds, and forgets them in time."""

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Self

import msgspec

from bedplate.services.cache.models import Item
from bedplate.services.settings.groups.cache import CacheSettings

__all__ = [
    "CacheBackend",
    "Claim",
    "Counts",
    "Leases",
    "Limits",
    "Reader",
    "Stale",
    "Terms",
    "Usage",
    "cost_of",
]

Reader = Callable[[str], Coroutine[Any, Any, Any]]


class Counts:
    """What has happened in one namespace; see :class:`~bedplate.services.cache.models.CacheStats`."""

    __slots__ = ("failed_loads", "hits", "loads", "misses", "refreshes", "stale", "timeouts", "unstored")

    def __init__(self) -> None:
        self.hits = self.misses = self.loads = self.failed_loads = self.unstored = 0
        self.stale = self.refreshes = self.timeouts = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a backend keeps.

    Attributes:
        entries: Most entries.
        bytes: Most bytes of keys and encoded values.
    """

    entries: int
    bytes: int

    @classmethod
    def of(cls, settings: CacheSettings) -> Self:
        """Those of the settings."""
        return cls(entries=settings.max_entries, bytes=settings.max_bytes)


class Usage(NamedTuple):
    """How much a namespace takes up now."""

    entries: int
    bytes: int


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """On what terms items are kept.

    Attributes:
        lifetime: Seconds until nothing but ``stale`` answers with them; ``inf``: for ever.
        grace: Seconds after that until ``stale`` does not either.
        tags: What they can be invalidated by.
        since: What ``moment`` answered, or a claim, before the items were made; None: they are of now.
        lease: The lease under which the one item was loaded: it is kept only if that goes on; empty: under none.
    """

    lifetime: float
    grace: float = 0.0
    tags: tuple[str, ...] = ()
    since: object = None
    lease: str = ""


class Stale(NamedTuple):
    """An item that may have outlived its time.

    Attributes:
        item: The item.
        late: Seconds since its time was over; not positive where it is not.
    """

    item: Item
    late: float


class Claim(NamedTuple):
    """What a replica that is about to load a value is told.

    Attributes:
        item: The value, where another one has been faster.
        taken: Whether another one loads it.
        lease: The lease under which this one loads it; empty: under none, and so may everybody.
        since: As ``moment`` would answer for its tags.
    """

    item: Item | None = None
    taken: bool = False
    lease: str = ""
    since: object = None


class Leases(Protocol):
    """Who of all that share a backend loads a value. Each method is one step for all of them.

    A lease is the fence of its load too: what writes, deletes or clears the key ends it, as invalidating one of the
    tags does, and what was loaded under it is not kept then.

    Attributes:
        seconds: How long a lease goes on unless it is renewed.
    """

    seconds: float

    async def claim(self, namespace: str, key: str, tags: Sequence[str], earlier: str) -> Claim:
        """The value that is there, or else the lease, if nobody has one that goes on.

        Args:
            namespace: As everywhere.
            key: As everywhere.
            tags: What the value can be invalidated by.
            earlier: A lease of the caller's own on this key, to take the place of; or empty.
        """
        ...

    async def renew(self, namespace: str, key: str, lease: str) -> bool:
        """Let a lease go on; whether it did."""
        ...

    async def release(self, namespace: str, key: str, lease: str, *, everybody: bool) -> None:
        """Give a lease back, if it goes on; ``everybody``: let all load for a moment, as the value cannot be kept."""
        ...


def cost_of(key: str, item: Item, tags: Collection[str] = ()) -> int:
    """The bytes that an item counts for, with its key and its tags."""
    cost = len(key.encode()) + len(item.data)
    return cost + sum(len(tag.encode()) for tag in tags) if tags else cost


class CacheBackend(Protocol):
    """Keeps items. The service has checked keys, sizes and times before it calls.

    It is made by ``from_settings(settings, codec)``, a class method that takes the engines that it declares as needed
    (``workers``) by keyword as well.

    Each method is atomic, also when its caller is cancelled: it happens wholly or not at all. Lifetimes are seconds,
    ``inf`` for ever; what has outlived its time is in no answer but that of ``stale``. When there is too much, what has
    expired goes first, then what was used longest ago; what was just written stays.

    An item whose tag is invalidated is gone for every answer from then on, as if it had been deleted, however many
    there are: invalidating costs the same for one item and for a million.

    Attributes:
        name: What the setting calls it.
        evictions: Entries removed to make room, before their time, by namespace.
        near: Whether what ``reader`` answers is in this process.
        instant: Whether no method waits for anything.
        leases: Who loads a value, where several processes share the backend and ask each other; else None.
    """

    name: str
    evictions: dict[str, int]
    near: bool
    instant: bool
    leases: Leases | None

    async def start(self) -> None:
        """Open what it needs."""
        ...

    async def stop(self) -> None:
        """Close it, as far as ``start`` got."""
        ...

    async def check(self) -> None:
        """Raise if it does not work."""
        ...

    def reader(self, namespace: str, counts: Counts, otherwise: Reader) -> Reader | None:
        """What answers for a key faster than ``get`` does, where there is such a thing.

        It counts in ``counts`` what it answers itself. For a key that it does not find, where not everything is near,
        or that is not a simple one, it answers what ``otherwise`` does.
        """
        ...

    async def get(self, namespace: str, keys: Iterable[str]) -> dict[str, Item]:
        """The items that are there, now marked as used."""
        ...

    async def stale(self, namespace: str, key: str) -> Stale | None:
        """An item that is there, or is within its grace, now marked as used."""
        ...

    async def put(self, namespace: str, items: Mapping[str, Item], terms: Terms) -> bool:
        """Keep the items, each in place of what was there.

        Returns:
            Whether they were kept: not if one of their tags was invalidated since ``terms.since``, or might have been,
            and not if the lease has ended.
        """
        ...

    async def update(
        self, namespace: str, key: str, change: Callable[[Item | None], Item], terms: Terms, keep: bool
    ) -> Item:
        """Replace an item by what ``change`` makes of it (None: nothing there), with nobody writing in between.

        The tags of an item that is there stay, and those of ``terms`` are added.

        Args:
            namespace: As everywhere.
            key: As everywhere.
            change: Quick and free of side effects: it may run more than once, and in another thread.
            terms: Of the new item.
            keep: Whether an item that is there keeps the lifetime that it has.
        """
        ...

    async def moment(self, namespace: str, tags: Collection[str]) -> object:
        """A mark of now for these tags: what is put with it is gone if one of them was invalidated after it."""
        ...

    async def invalidate(self, namespace: str, tags: Collection[str]) -> None:
        """Let every item that has one of the tags be gone, and all that is made from an earlier moment."""
        ...

    async def delete(self, namespace: str, key: str) -> bool:
        """Forget an item, also one within its grace; whether it was there."""
        ...

    async def left(self, namespace: str, key: str) -> float | None:
        """Seconds that an item still has; None: it is not there."""
        ...

    async def touch(self, namespace: str, key: str, lifetime: float) -> bool:
        """Give an item a new lifetime, and mark it as used; whether it was there."""
        ...

    async def clear(self, namespace: str) -> int:
        """Forget a whole namespace; how many items there were."""
        ...

    async def purge(self, every: float | None = None) -> int:
        """Remove what has expired; how many items there were.

        Args:
            every: Seconds within which one of those who share the backend may do it for all; None: it is done now.
        """
        ...

    def usage(self) -> Mapping[str, Usage]:
        """How much each namespace takes up, as last known, without waiting."""
        ...
