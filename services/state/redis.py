"""The state of all replicas, in Redis: bounded by values and bytes, each change told to every replica in order."""

from collections.abc import Callable
from math import ceil, inf
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from bedplate.services.cache import Item
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_feeds import RedisFeeds
from bedplate.services.engines.redis_feeds_store import FeedLimits
from bedplate.services.errors import BedplateError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.state import StateSettings
from bedplate.services.state import redis_scripts as scripts
from bedplate.services.state.backend import Limits, Record
from bedplate.services.state.errors import StateConflictError, StateFullError, StateValueTooLargeError
from bedplate.services.state.lists import array
from bedplate.services.state.models import ChangeKind, Scope, StateUsage
from bedplate.services.state.redis_listeners import Listener, Listeners, read_change
from bedplate.services.state.subscription import Change, Subscription

if TYPE_CHECKING:
    from redis.commands.core import AsyncScript

__all__ = ["RedisBackend"]

_SCRIPTS: Final = (
    scripts.GET,
    scripts.ALL,
    scripts.PUT,
    scripts.APPEND,
    scripts.DELETE,
    scripts.CLEAR,
    scripts.PURGE,
)
_KEPT: Final = 60.0
"""Seconds that the latest changes of a scope are kept for replicas that lost their connection."""
_LIST: Final = b"2"


class RedisBackend:
    """Keeps values in hashes, and tells changes of watched scopes by feeds.

    Args:
        settings: How much to keep, and for how long.
        engine: The clients of Redis.
        clock: Seconds by which values expire; None: those of the server, which all replicas share.
    """

    name = "redis"

    def __init__(
        self, settings: StateSettings, engine: RedisEngine, *, clock: Callable[[], float] | None = None
    ) -> None:
        self._limits = Limits.of(settings)
        self._engine = engine
        self._clock = clock
        kept = FeedLimits(
            ttl=_KEPT,
            events=settings.buffer_events,
            bytes=settings.buffer_bytes,
            total_bytes=settings.max_bytes,
        )
        self._feeds = RedisFeeds(engine, ServiceType.STATE, kept, self._heard, self._missed)
        self._listeners = Listeners()
        self._scripts: dict[str, AsyncScript] = {}
        self._totals = (0, 0, 0)
        self._expired = 0

    @classmethod
    def from_settings(cls, settings: SettingsService, *, redis: RedisEngine) -> Self:
        """Make it as the settings say."""
        return cls(settings.values.state, redis)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            RedisUnavailableError: The server does not answer.
            RedisSettingError: It refuses.
        """
        await self._feeds.start()
        client = self._engine.client(ServiceType.STATE)
        self._scripts = {script: client.register_script(script) for script in _SCRIPTS}
        await self.purge()

    async def stop(self) -> None:
        """End the subscriptions of this process; values stay."""
        self._listeners.end_all()
        await self._feeds.stop()

    async def check(self) -> str | None:
        """Raise if the server does not answer; why changes are told late, if they are."""
        await self._engine.ping(ServiceType.STATE)
        return None if self._feeds.connected else "the connection to Redis that tells of changes is lost"

    async def get(self, scope: Scope, key: str) -> Record | None:
        """The value that is there."""
        client: Any = self._engine.client(ServiceType.STATE)
        with self._engine.typed_errors(ServiceType.STATE):
            entry = await client.hget(f"{self._feeds.prefix}values:{scope.name}", key)
        if entry is None:
            return None
        version, due, _, _, kind, _, data = entry.split(b" ", 6)
        if due == b"0" and kind != _LIST:
            return Record(Item(data, kind == b"1"), int(version), inf)
        # Whether it has expired only the server knows, and the items of a list are elsewhere.
        answer = await self._run(scripts.GET, scope, key)
        return _record(answer[1]) if answer[0] == b"found" else None

    async def all(self, scope: Scope) -> dict[str, Record]:
        """All values of a scope by key."""
        found = sorted(await self._run(scripts.ALL, scope), key=lambda one: int(one[3]))
        return {one[0].decode(): _record(one) for one in found}

    async def put(self, scope: Scope, key: str, item: Item, lifetime: float, expected: int | None) -> int:
        """Keep a value and return its version."""
        return await self._write(scripts.PUT, scope, key, item, lifetime, expected)

    async def append(self, scope: Scope, key: str, item: Item, lifetime: float) -> int:
        """Add an item to a list and return its version."""
        data = msgspec.msgpack.encode(item.data) if item.raw else item.data
        return await self._write(scripts.APPEND, scope, key, Item(data), lifetime, None)

    async def delete(self, scope: Scope, key: str, expected: int | None) -> bool:
        """Forget a value; whether it was there."""
        wanted = "" if expected is None else expected
        answer = await self._run(scripts.DELETE, scope, key, wanted, self._idle(scope))
        if answer[0] == b"conflict":
            raise StateConflictError(key, expected or 0, int(answer[1]))
        return bool(answer[0] == b"done")

    async def clear(self, scope: Scope, *, close: bool) -> int:
        """Forget all values of a scope; how many there were."""
        return int(await self._run(scripts.CLEAR, scope, int(close)))

    async def subscribe(self, scope: Scope, subscription: Subscription, *, current: bool) -> None:
        """Pass on every change of the subscription's key from now on."""
        limits = self._limits
        if len(self._listeners) >= limits.subscriptions:
            raise StateFullError("subscriptions", limits.subscriptions, "max_subscriptions")
        if sum(1 for _ in self._listeners.of_scope(scope.name)) >= limits.scope_subscriptions:
            raise StateFullError(
                f"subscriptions to one {scope.kind}", limits.scope_subscriptions, "max_scope_subscriptions"
            )
        listener = Listener(subscription, hold=True)
        self._listeners.add(scope.name, listener)
        try:
            await self._feeds.watch(scope.name)
            before = await self.current(scope, subscription.key) if current else None
        except BaseException:
            await self.unsubscribe(scope, subscription)
            raise
        listener.begin(before)

    async def unsubscribe(self, scope: Scope, subscription: Subscription) -> None:
        """Pass nothing on any more."""
        if self._listeners.remove(scope.name, subscription):
            self._feeds.unwatch(scope.name)

    async def current(self, scope: Scope, key: str) -> Change:
        """What a key holds now, for a subscriber that lags."""
        answer = await self._run(scripts.GET, scope, key)
        if answer[0] != b"found":
            return Change(ChangeKind.DELETE, int(answer[1]))
        record = _record(answer[1])
        return Change(ChangeKind.CURRENT, record.version, record.item)

    async def purge(self) -> int:
        """Remove what has expired, and scopes that nobody has changed for long; how many values there were."""
        total = 0
        while found := int(await self._run(scripts.PURGE, None)):
            total += found
        return total

    def usage(self) -> StateUsage:
        """How much there is over all replicas, as the last answer of Redis said."""
        entries, used, scopes = self._totals
        return StateUsage(
            scopes=scopes,
            entries=entries,
            bytes=used,
            subscriptions=len(self._listeners),
            expired=self._expired,
        )

    async def _write(
        self, script: str, scope: Scope, key: str, item: Item, lifetime: float, expected: int | None
    ) -> int:
        limits = self._limits
        answer = await self._run(
            script,
            scope,
            key,
            item.data,
            int(item.raw),
            "" if lifetime == inf else ceil(lifetime * 1e3),
            "" if expected is None else expected,
            self._idle(scope),
            limits.entries,
            limits.value_bytes,
            limits.user_bytes,
            limits.bytes,
        )
        if answer[0] == b"done":
            return int(answer[1])
        raise self._refusal(scope, key, expected, answer)

    def _refusal(self, scope: Scope, key: str, expected: int | None, answer: list[Any]) -> BedplateError:
        limits = self._limits
        if answer[0] == b"conflict":
            return StateConflictError(key, expected or 0, int(answer[1]))
        if answer[0] == b"large":
            return StateValueTooLargeError(key, int(answer[1]), limits.value_bytes)
        setting = answer[1].decode()
        what, limit = {
            "max_entries": (f"values in one {scope.kind}", limits.entries),
            "max_bytes": ("bytes", limits.bytes),
            "max_user_bytes": ("bytes of one user", limits.user_bytes),
        }[setting]
        return StateFullError(what, limit, setting)

    async def _run(self, script: str, scope: Scope | None, *args: Any) -> Any:
        now = "" if self._clock is None else round(self._clock() * 1e3)
        name = () if scope is None else (scope.name,)
        with self._engine.typed_errors(ServiceType.STATE):
            result, events, totals = await self._scripts[script](
                keys=[self._feeds.prefix], args=[*self._feeds.arguments, now, *name, *args]
            )
        if totals:
            self._totals = totals[0], totals[1], totals[2]
            self._expired += totals[3]
        # Those who listen here need not wait for what comes back over the other connection.
        for index in range(0, len(events), 4):
            changed, epoch, offset, payload = events[index : index + 4]
            self._feeds.hear(changed.decode(), epoch.decode(), int(offset), payload)
        return result

    def _idle(self, scope: Scope) -> int | str:
        seconds = self._limits.idle[scope.kind]
        return "" if seconds == inf else round(seconds * 1e3)

    def _heard(self, name: str, _epoch: str, _number: int, payload: bytes) -> None:
        key, change = read_change(payload)
        if change is None:
            self._listeners.end(name)
            self._feeds.unwatch(name)
            return
        for listener in list(self._listeners.of_key(name, key)):
            listener.tell(change)

    def _missed(self, name: str) -> None:
        for listener in self._listeners.of_scope(name):
            listener.subscription.miss()


def _record(found: list[Any]) -> Record:
    _, version, left, _, kind, number, data = found
    item = Item(array(int(number), data)) if kind == _LIST else Item(data, kind == b"1")
    return Record(item, int(version), int(left) / 1e3 if left else inf)
