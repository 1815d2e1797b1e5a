"""What the memory backend keeps: values, the scopes that they belong to, and the owners of these."""

from bedplate.services.cache import Item
from bedplate.services.state.lists import GrowingList
from bedplate.services.state.models import Scope
from bedplate.services.state.subscription import Change, Subscription

__all__ = ["OVERHEAD", "Entry", "Owner", "Shelf"]

OVERHEAD = 512
"""Bytes that a value counts for beside its key and itself: about what its objects take, those of its scope included."""


class Entry:
    """One value; ``due`` is when it expires by the backend's clock, and ``cost`` the bytes that it counts for."""

    __slots__ = ("cost", "due", "kept", "version")

    def __init__(self, kept: Item | GrowingList, version: int, cost: int, due: float) -> None:
        self.kept = kept
        self.version = version
        self.cost = cost
        self.due = due

    @property
    def item(self) -> Item:
        """The value as it crosses the boundary of a backend."""
        kept = self.kept
        return kept.item() if isinstance(kept, GrowingList) else kept


class Owner:
    """Whose scopes these are; there as long as one of them is."""

    __slots__ = ("bytes", "shelves")

    def __init__(self) -> None:
        self.bytes = 0
        self.shelves = 0


class Shelf:
    """The values of one scope and the subscriptions to them; there as long as it has one of either."""

    __slots__ = ("changed", "entries", "listeners", "listening", "owner", "scope")

    def __init__(self, scope: Scope, owner: Owner) -> None:
        self.scope = scope
        self.owner = owner
        self.entries: dict[str, Entry] = {}
        self.listeners: dict[str, list[Subscription]] = {}
        self.listening = 0
        self.changed = 0.0

    def tell(self, key: str, change: Change) -> None:
        """Pass a change on to those who subscribed to its key."""
        for subscription in self.listeners.get(key, ()):
            subscription.push(change)

    def listen(self, subscription: Subscription) -> None:
        """Pass changes on to this one too."""
        self.listeners.setdefault(subscription.key, []).append(subscription)
        self.listening += 1

    def forget(self, subscription: Subscription) -> bool:
        """Pass nothing on to this one any more; whether it was there."""
        listeners = self.listeners.get(subscription.key, [])
        if subscription not in listeners:
            return False
        listeners.remove(subscription)
        self.listening -= 1
        if not listeners:
            del self.listeners[subscription.key]
        return True
