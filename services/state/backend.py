"""What a backend of the state does: it keeps encoded values by scope and key, within bounds, and tells of changes."""

from math import inf
from typing import NamedTuple, Protocol

import msgspec

from bedplate.services.cache import Item
from bedplate.services.settings.groups.state import StateSettings
from bedplate.services.state.models import Scope, ScopeKind, StateUsage
from bedplate.services.state.subscription import Change, Subscription

__all__ = ["Limits", "Record", "StateBackend"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a backend keeps.

    Attributes:
        entries: Most values of a scope.
        value_bytes: Largest encoded value, a list that was appended to included.
        user_bytes: Most bytes of one owner.
        bytes: Most bytes in all.
        subscriptions: Most subscriptions in all.
        scope_subscriptions: Most subscriptions to one scope.
        idle: Seconds after its last change that a scope is forgotten, by kind; ``inf`` for never.
    """

    entries: int
    value_bytes: int
    user_bytes: int
    bytes: int
    subscriptions: int
    scope_subscriptions: int
    idle: dict[ScopeKind, float]

    @classmethod
    def of(cls, values: StateSettings) -> "Limits":
        """Those that the settings give."""
        return cls(
            entries=values.max_entries,
            value_bytes=values.max_value_bytes,
            user_bytes=values.max_user_bytes,
            bytes=values.max_bytes,
            subscriptions=values.max_subscriptions,
            scope_subscriptions=values.max_scope_subscriptions,
            idle={kind: getattr(values, f"{kind}_ttl") or inf for kind in ScopeKind},
        )


class Record(NamedTuple):
    """A value as a backend answers it.

    Attributes:
        item: The encoded value.
        version: Its version.
        left: Seconds until it expires; ``inf`` for never.
    """

    item: Item
    version: int
    left: float


class StateBackend(Protocol):
    """Keeps values.

    It is made by ``from_settings(settings)``, a class method that takes the engines that it declares as needed by
    keyword as well. The service has checked keys, sizes and times before it calls.

    Each method is atomic, also when its caller is cancelled: it happens wholly or not at all. Versions grow with every
    change of a key and are never used twice for it. What has outlived its time is in no answer. Every change reaches
    the subscriptions to its key, in the order in which the changes are made. No writer ever waits for a subscriber.

    Attributes:
        name: What the setting calls it.
    """

    name: str

    async def start(self) -> None:
        """Open what it needs."""
        ...

    async def stop(self) -> None:
        """End the subscriptions and close what ``start`` opened, as far as it got."""
        ...

    async def check(self) -> str | None:
        """Raise if it does not work; what is wrong if it works but not well."""
        ...

    async def get(self, scope: Scope, key: str) -> Record | None:
        """The value that is there."""
        ...

    async def all(self, scope: Scope) -> dict[str, Record]:
        """All values of a scope by key, in the order in which the keys were first set."""
        ...

    async def put(self, scope: Scope, key: str, item: Item, lifetime: float, expected: int | None) -> int:
        """Keep a value and return its version.

        Raises:
            StateConflictError: ``expected`` is not the version that is there (0: none).
            StateFullError: A limit is reached.
        """
        ...

    async def append(self, scope: Scope, key: str, item: Item, lifetime: float) -> int:
        """Add an item to a list and return its version; a value that is no list becomes the first item of one.

        Raises:
            StateFullError, StateValueTooLargeError: A limit is reached.
        """
        ...

    async def delete(self, scope: Scope, key: str, expected: int | None) -> bool:
        """Forget a value; whether it was there.

        Raises:
            StateConflictError: As in :meth:`put`.
        """
        ...

    async def clear(self, scope: Scope, *, close: bool) -> int:
        """Forget all values of a scope; how many there were. With ``close``, its subscriptions end."""
        ...

    async def subscribe(self, scope: Scope, subscription: Subscription, *, current: bool) -> None:
        """Pass on every change of the subscription's key from now on; with ``current``, its value first.

        Raises:
            StateFullError: There are too many subscriptions.
        """
        ...

    async def unsubscribe(self, scope: Scope, subscription: Subscription) -> None:
        """Pass nothing on any more."""
        ...

    async def current(self, scope: Scope, key: str) -> Change:
        """What a key holds now, for a subscriber that lags: ``CURRENT``, or ``DELETE`` with the last version given."""
        ...

    async def purge(self) -> int:
        """Remove what has expired; how many values there were."""
        ...

    def usage(self) -> StateUsage:
        """How much there is, as last known, without waiting."""
        ...
