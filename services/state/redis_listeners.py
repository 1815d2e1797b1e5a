"""The subscriptions of one process to the state of all."""

from collections.abc import Iterator
from typing import Final

from bedplate.services.cache import Item
from bedplate.services.state.models import ChangeKind
from bedplate.services.state.subscription import Change, Subscription

__all__ = ["Listener", "Listeners", "read_change"]

_KINDS: Final = {
    b"s": ChangeKind.SET,
    b"a": ChangeKind.APPEND,
    b"d": ChangeKind.DELETE,
    b"x": ChangeKind.EXPIRE,
}


class Listener:
    """A subscription, which is told of nothing before it has been told what there is."""

    __slots__ = ("_held", "subscription")

    def __init__(self, subscription: Subscription, *, hold: bool) -> None:
        self.subscription = subscription
        self._held: list[Change] | None = [] if hold else None

    def tell(self, change: Change) -> None:
        """Pass a change on."""
        if self._held is None:
            self.subscription.push(change)
        else:
            self._held.append(change)

    def begin(self, before: Change | None) -> None:
        """Pass on what there is, if it is asked for and there is something, and then what has changed after that."""
        held, self._held = self._held or [], None
        if before is not None and before.item is not None:
            self.subscription.push(before)
        for change in held:
            if before is None or change.version > before.version:
                self.subscription.push(change)


class Listeners:
    """All of them, by the name of the scope and by key."""

    def __init__(self) -> None:
        self._scopes: dict[str, dict[str, list[Listener]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of_scope(self, scope: str) -> Iterator[Listener]:
        """Those of a scope."""
        return (one for listeners in self._scopes.get(scope, {}).values() for one in listeners)

    def of_key(self, scope: str, key: str) -> list[Listener]:
        """Those of a key."""
        return self._scopes.get(scope, {}).get(key, [])

    def add(self, scope: str, listener: Listener) -> None:
        """One more."""
        self._scopes.setdefault(scope, {}).setdefault(listener.subscription.key, []).append(listener)
        self._count += 1

    def remove(self, scope: str, subscription: Subscription) -> bool:
        """One less; whether it was the last of its scope."""
        keys = self._scopes.get(scope, {})
        listeners = keys.get(subscription.key, [])
        found = [one for one in listeners if one.subscription is subscription]
        if not found:
            return False
        listeners.remove(found[0])
        self._count -= 1
        if not listeners:
            del keys[subscription.key]
        if not keys:
            del self._scopes[scope]
        return not keys

    def end(self, scope: str) -> None:
        """None in a scope any more."""
        for listener in self.of_scope(scope):
            listener.subscription.end()
            self._count -= 1
        self._scopes.pop(scope, None)

    def end_all(self) -> None:
        """None at all any more."""
        for scope in list(self._scopes):
            self.end(scope)


def read_change(payload: bytes) -> tuple[str, Change | None]:
    """The key and the change that a payload tells of; no change: the scope was closed."""
    kind, version, raw, length, rest = payload.split(b" ", 4)
    if kind == b"e":
        return "", None
    size = int(length)
    item = Item(rest[size:], raw == b"1") if kind in (b"s", b"a") else None
    return rest[:size].decode(), Change(_KINDS[kind], int(version), item)
