"""The state in this process: bounded by values and bytes, gone when the process ends."""

import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Self
from uuid import UUID

from bedplate.services.cache import Item
from bedplate.services.settings import SettingsService
from bedplate.services.state.backend import Limits, Record
from bedplate.services.state.due import DueKeys
from bedplate.services.state.errors import StateConflictError, StateFullError, StateValueTooLargeError
from bedplate.services.state.lists import GrowingList
from bedplate.services.state.models import ChangeKind, Scope, StateUsage
from bedplate.services.state.shelf import OVERHEAD, Entry, Owner, Shelf
from bedplate.services.state.subscription import Change, Subscription

__all__ = ["MemoryBackend"]

_SET, _APPEND, _DELETE, _EXPIRE, _CURRENT = ChangeKind


class MemoryBackend:
    """Keeps values in dictionaries.

    No method waits, so that on one event loop each is atomic without a lock, and no subscriber runs within one.

    Args:
        limits: How much to keep.
        clock: Seconds that only grow.
    """

    name = "memory"

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._shelves: dict[str, Shelf] = {}
        self._owners: dict[UUID | None, Owner] = {}
        self._bytes = 0
        self._subscriptions = 0
        self._expired = 0
        # Every change of any key takes the next number, so that a key that comes back has none that it had before.
        self._last_version = 0
        self._due = DueKeys(self._timed_entries)

    @classmethod
    def from_settings(cls, settings: SettingsService) -> Self:
        """Make it as the settings say."""
        return cls(Limits.of(settings.values.state))

    async def start(self) -> None:
        """Do nothing: there is nothing to open."""

    async def stop(self) -> None:
        """Forget everything and end every subscription."""
        for shelf in list(self._shelves.values()):
            self._empty(shelf, close=True)
        self._due.clear()

    async def check(self) -> str | None:
        """Do nothing: there is nothing that could be down."""
        return None

    async def get(self, scope: Scope, key: str) -> Record | None:
        """The value that is there."""
        shelf = self._shelves.get(scope.name)
        if shelf is None:
            return None
        entry = shelf.entries.get(key)
        if entry is None:
            return None
        if entry.due == inf:
            return Record(entry.item, entry.version, inf)
        left = entry.due - self._clock()
        if left > 0:
            return Record(entry.item, entry.version, left)
        self._expire(shelf, key)
        return None

    async def all(self, scope: Scope) -> dict[str, Record]:
        """All values of a scope by key."""
        shelf = self._shelves.get(scope.name)
        if shelf is None:
            return {}
        now = self._clock()
        for key in [key for key, entry in shelf.entries.items() if entry.due <= now]:
            self._expire(shelf, key)
        return {key: Record(entry.item, entry.version, entry.due - now) for key, entry in shelf.entries.items()}

    async def put(self, scope: Scope, key: str, item: Item, lifetime: float, expected: int | None) -> int:
        """Keep a value and return its version."""
        now = self._clock()
        cost = OVERHEAD + len(key) + len(item.data)
        shelf, entry = self._look(scope, key, now)
        if expected is not None:
            _check(key, expected, entry)
        if entry is None or cost > entry.cost:
            self._make_room(shelf, entry, cost)
        version = self._keep(shelf, key, entry, item, cost, now, now + lifetime)
        if shelf.listening:
            shelf.tell(key, Change(_SET, version, item))
        return version

    async def append(self, scope: Scope, key: str, item: Item, lifetime: float) -> int:
        """Add an item to a list and return its version."""
        now = self._clock()
        shelf, entry = self._look(scope, key, now)
        kept = entry.kept if entry is not None else None
        values = kept if isinstance(kept, GrowingList) else GrowingList(kept)
        size = values.size_with(item)
        if size > self._limits.value_bytes:
            raise StateValueTooLargeError(key, size, self._limits.value_bytes)
        cost = OVERHEAD + len(key) + size
        self._make_room(shelf, entry, cost)
        values.append(item)
        version = self._keep(shelf, key, entry, values, cost, now, now + lifetime)
        if shelf.listening:
            shelf.tell(key, Change(_APPEND, version, item))
        return version

    async def delete(self, scope: Scope, key: str, expected: int | None) -> bool:
        """Forget a value; whether it was there."""
        now = self._clock()
        shelf, entry = self._look(scope, key, now)
        if expected is not None:
            _check(key, expected, entry)
        if entry is None:
            return False
        self._remove(shelf, key, _DELETE)
        shelf.changed = now
        self._tidy(shelf)
        return True

    async def clear(self, scope: Scope, *, close: bool) -> int:
        """Forget all values of a scope; how many there were."""
        shelf = self._shelves.get(scope.name)
        if shelf is None:
            return 0
        now = self._clock()
        alive = sum(entry.due > now for entry in shelf.entries.values())
        self._empty(shelf, close=close)
        return alive

    async def subscribe(self, scope: Scope, subscription: Subscription, *, current: bool) -> None:
        """Pass on every change of the subscription's key from now on."""
        shelf, entry = self._look(scope, subscription.key, self._clock())
        if self._subscriptions >= self._limits.subscriptions:
            raise StateFullError("subscriptions", self._limits.subscriptions, "max_subscriptions")
        if shelf.listening >= self._limits.scope_subscriptions:
            limit = self._limits.scope_subscriptions
            raise StateFullError(f"subscriptions to one {scope.kind}", limit, "max_scope_subscriptions")
        self._register(shelf)
        shelf.listen(subscription)
        self._subscriptions += 1
        if current and entry is not None:
            subscription.push(Change(_CURRENT, entry.version, entry.item))

    async def unsubscribe(self, scope: Scope, subscription: Subscription) -> None:
        """Pass nothing on any more."""
        shelf = self._shelves.get(scope.name)
        if shelf is not None and shelf.forget(subscription):
            self._subscriptions -= 1
            self._tidy(shelf)

    async def current(self, scope: Scope, key: str) -> Change:
        """What a key holds now, for a subscriber that lags."""
        record = await self.get(scope, key)
        if record is None:
            return Change(_DELETE, self._last_version)
        return Change(_CURRENT, record.version, record.item)

    async def purge(self) -> int:
        """Remove what has expired, and scopes that nobody has changed for long; how many values there were."""
        before = self._expired
        now = self._clock()
        self._expire_due()
        idle = self._limits.idle
        for shelf in [one for one in self._shelves.values() if now - one.changed >= idle[one.scope.kind]]:
            for key in list(shelf.entries):
                self._expire(shelf, key)
        return self._expired - before

    def usage(self) -> StateUsage:
        """How much there is."""
        entries = sum(len(shelf.entries) for shelf in self._shelves.values())
        return StateUsage(
            scopes=len(self._shelves),
            entries=entries,
            bytes=self._bytes,
            subscriptions=self._subscriptions,
            expired=self._expired,
        )

    def _look(self, scope: Scope, key: str, now: float) -> tuple[Shelf, Entry | None]:
        """The shelf of a scope, a new one that is not kept before there is something on it, and what a key holds."""
        shelf = self._shelves.get(scope.name)
        if shelf is None:
            return Shelf(scope, self._owners.get(scope.user_id) or Owner()), None
        entry = shelf.entries.get(key)
        if entry is not None and entry.due <= now:
            self._expire(shelf, key)
            return shelf, None
        return shelf, entry

    def _register(self, shelf: Shelf) -> None:
        if shelf.scope.name not in self._shelves:
            self._shelves[shelf.scope.name] = shelf
            self._owners[shelf.scope.user_id] = shelf.owner
            shelf.owner.shelves += 1
            shelf.changed = self._clock()

    def _tidy(self, shelf: Shelf) -> None:
        """Keep no shelf that has nothing on it, and no owner without one."""
        if shelf.entries or shelf.listening or self._shelves.get(shelf.scope.name) is not shelf:
            return
        del self._shelves[shelf.scope.name]
        shelf.owner.shelves -= 1
        if not shelf.owner.shelves:
            del self._owners[shelf.scope.user_id]

    def _make_room(self, shelf: Shelf, entry: Entry | None, cost: int) -> None:
        """Raise if what is to be put is too much."""
        limits = self._limits
        if entry is None and len(shelf.entries) >= limits.entries:
            self._expire_due()
            if len(shelf.entries) >= limits.entries:
                raise StateFullError(f"values in one {shelf.scope.kind}", limits.entries, "max_entries")
        grown = cost - (0 if entry is None else entry.cost)
        owned = 0 if shelf.scope.user_id is None else shelf.owner.bytes
        if self._bytes + grown <= limits.bytes and owned + grown <= limits.user_bytes:
            return
        if grown > 0 and self._expire_due():
            self._make_room(shelf, entry, cost)
        elif grown > 0 and self._bytes + grown > limits.bytes:
            raise StateFullError("bytes", limits.bytes, "max_bytes")
        elif grown > 0:
            raise StateFullError("bytes of one user", limits.user_bytes, "max_user_bytes")

    def _keep(
        self, shelf: Shelf, key: str, entry: Entry | None, kept: Item | GrowingList, cost: int, now: float, due: float
    ) -> int:
        """Put something on a shelf, with the next version."""
        version = self._last_version = self._last_version + 1
        grown = cost
        if entry is None:
            self._register(shelf)
            entry = shelf.entries[key] = Entry(kept, version, cost, due)
        else:
            grown -= entry.cost
            self._due.timed -= entry.due != inf
            entry.kept, entry.version, entry.cost, entry.due = kept, version, cost, due
        self._bytes += grown
        shelf.owner.bytes += grown
        shelf.changed = now
        if due != inf:
            self._due.add(due, shelf.scope.name, key)
        return version

    def _timed_entries(self) -> Iterator[tuple[float, str, str]]:
        for shelf in self._shelves.values():
            for key, entry in shelf.entries.items():
                if entry.due != inf:
                    yield entry.due, shelf.scope.name, key

    def _remove(self, shelf: Shelf, key: str, kind: ChangeKind) -> None:
        entry = shelf.entries.pop(key)
        self._bytes -= entry.cost
        shelf.owner.bytes -= entry.cost
        self._due.timed -= entry.due != inf
        self._last_version += 1
        shelf.tell(key, Change(kind, self._last_version))

    def _expire(self, shelf: Shelf, key: str) -> None:
        self._remove(shelf, key, _EXPIRE)
        self._expired += 1
        self._tidy(shelf)

    def _expire_due(self) -> bool:
        """Remove what is due by now; whether there was anything."""
        before = self._expired
        for due, name, key in self._due.taken(self._clock()):
            shelf = self._shelves.get(name)
            entry = shelf.entries.get(key) if shelf is not None else None
            if shelf is not None and entry is not None and entry.due == due:
                self._expire(shelf, key)
        return self._expired > before

    def _empty(self, shelf: Shelf, *, close: bool) -> None:
        for key in list(shelf.entries):
            self._remove(shelf, key, _DELETE)
        if close:
            for listeners in shelf.listeners.values():
                for subscription in listeners:
                    subscription.end()
            self._subscriptions -= shelf.listening
            shelf.listeners, shelf.listening = {}, 0
        self._tidy(shelf)


def _check(key: str, expected: int, entry: Entry | None) -> None:
    current = 0 if entry is None else entry.version
    if current != expected:
        raise StateConflictError(key, expected, current)
