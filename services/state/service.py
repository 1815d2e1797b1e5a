"""The state service."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from math import inf
from typing import Any

from bedplate.services.base import Service
from bedplate.services.cache import Codec, Item, UncacheableError
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.state.backend import StateBackend
from bedplate.services.state.errors import (
    StateConflictError,
    StateFullError,
    StateValueError,
    StateValueTooLargeError,
)
from bedplate.services.state.models import Scope, StateEntry, StateUsage
from bedplate.services.state.subscription import Subscription
from bedplate.services.state.validation import check_place, checked_ttl
from bedplate.services.telemetry import TelemetryService

__all__ = ["StateService"]

_log = get_logger("bedplate.state")

_UPDATE_ATTEMPTS = 100


class StateService(Service):
    """Values that the parts of a run, or the runs of a session, a user or the application, share; and their changes.

    A value is data: what a caller gets is its own copy, of the same type, as in the cache (texts, numbers, bytes,
    lists, tuples, sets, dictionaries, times, UUIDs and decimals, one within another). The owner is part of the scope,
    so that what belongs to somebody else is as if it were missing. Every change happens wholly or not at all,
    also when the caller is cancelled, and runs nobody else's code: subscribers read in tasks of their own.

    Args:
        settings: The settings.
        telemetry: Where values, bytes, subscriptions, refusals and drops are counted.
        store: The backend.
    """

    type = ServiceType.STATE

    def __init__(self, settings: SettingsService, telemetry: TelemetryService, store: StateBackend) -> None:
        self._values = settings.values.state
        self.backend = store.name
        self._store = store
        self._codec = Codec()
        self._max_key = self._values.max_key_bytes
        self._max_value = self._values.max_value_bytes
        self._purging: asyncio.Task[None] | None = None
        self._dropped = telemetry.meter.counter(
            "bedplate_state_dropped", "Changes that subscribers did not get because they lagged."
        )
        self._refused = telemetry.meter.counter(
            "bedplate_state_refused", "Writes and subscriptions refused because of a limit.", labels=("limit",)
        )
        self._observe(telemetry)

    async def get(self, scope: Scope, key: str, default: Any = None) -> Any:
        """The value of a key, the caller's own copy; ``default`` if there is none.

        Raises:
            StateKeyError: The key or the scope is not a possible one; as in every method.
        """
        self._require(scope, key)
        record = await self._store.get(scope, key)
        return default if record is None else self._codec.value(record.item)

    async def entry(self, scope: Scope, key: str) -> StateEntry | None:
        """The value of a key with its version, which :meth:`set` and :meth:`delete` can be made to depend on."""
        self._require(scope, key)
        record = await self._store.get(scope, key)
        if record is None:
            return None
        expires_in = None if record.left == inf else record.left
        return StateEntry(value=self._codec.value(record.item), version=record.version, expires_in=expires_in)

    async def items(self, scope: Scope) -> dict[str, Any]:
        """All values of a scope by key, the keys in the order in which they were first set."""
        self._require(scope)
        return {key: self._codec.value(record.item) for key, record in (await self._store.all(scope)).items()}

    async def set(
        self, scope: Scope, key: str, value: Any, *, ttl: float | timedelta | None = None, expected: int | None = None
    ) -> int:
        """Give a key a value.

        Args:
            scope: Whose.
            key: Its name in the scope.
            value: Data; what is done to it afterwards changes nothing.
            ttl: Seconds until it expires, in place of what was said before; None: when its scope does.
            expected: Do it only if the key has this version now; 0: only if it has no value.

        Returns:
            The version that it has now.

        Raises:
            StateConflictError: The key has another version than the one expected.
            StateValueError: The value would not come back equal and of the same type.
            StateValueTooLargeError: It is over the limit.
            StateFullError: There is too much already; nothing is dropped to make room.
        """
        self._require(scope, key)
        item = self._encode(key, value)
        lifetime = inf if ttl is None else checked_ttl(ttl)
        try:
            return await self._store.put(scope, key, item, lifetime, expected)
        except StateFullError as error:
            raise self._noted(error) from None

    async def append(self, scope: Scope, key: str, value: Any, *, ttl: float | timedelta | None = None) -> int:
        """Add an item to the list of a key; a value that is no list becomes the first item of one.

        The cost does not grow with the list. Arguments, answer and errors are as in :meth:`set`.
        """
        self._require(scope, key)
        item = self._encode(key, value)
        lifetime = inf if ttl is None else checked_ttl(ttl)
        try:
            return await self._store.append(scope, key, item, lifetime)
        except (StateFullError, StateValueTooLargeError) as error:
            raise self._noted(error) from None

    async def update(
        self,
        scope: Scope,
        key: str,
        change: Callable[[Any], Any],
        *,
        default: Any = None,
        ttl: float | timedelta | None = None,
    ) -> Any:
        """Replace a value by what ``change`` makes of it, with nobody writing in between, and return the new one.

        Args:
            scope: Whose.
            key: Its name in the scope.
            change: Quick and free of side effects: it runs again when somebody else was first.
            default: What it is given where there is no value.
            ttl: As in :meth:`set`.

        Raises:
            StateConflictError: Others were first a hundred times.
            BedplateError: As :meth:`set`.
        """
        attempt = 0
        while True:
            attempt += 1
            entry = await self.entry(scope, key)
            value = change(default if entry is None else entry.value)
            try:
                await self.set(scope, key, value, ttl=ttl, expected=0 if entry is None else entry.version)
            except StateConflictError:
                if attempt == _UPDATE_ATTEMPTS:
                    raise
                await asyncio.sleep(random.random() * min(attempt, 20) / 1e3)  # noqa: S311 - spreads those who wait
            else:
                return value

    async def delete(self, scope: Scope, key: str, *, expected: int | None = None) -> bool:
        """Forget a value; whether there was one.

        Raises:
            StateConflictError: The key has another version than the one expected.
        """
        self._require(scope, key)
        return await self._store.delete(scope, key, expected)

    async def clear(self, scope: Scope) -> int:
        """Forget all values of a scope; how many there were. Subscriptions go on."""
        self._require(scope)
        return await self._store.clear(scope, close=False)

    async def close(self, scope: Scope) -> int:
        """Forget all values of a scope, as when a run ends; how many there were. Its subscriptions end."""
        self._require(scope)
        return await self._store.clear(scope, close=True)

    async def subscribe(self, scope: Scope, key: str, *, current: bool = False) -> Subscription:
        """Listen to the changes of a key from now on; use it in ``async with``.

        Args:
            scope: Whose.
            key: Its name in the scope; there need be no value yet.
            current: Give the value that is there now as the first change.

        Raises:
            StateFullError: There are too many subscriptions.
        """
        self._require(scope, key)
        subscription = Subscription(
            key,
            current=partial(self._store.current, scope, key),
            value=self._codec.value,
            leave=partial(self._store.unsubscribe, scope),
            max_changes=self._values.buffer_events,
            max_bytes=self._values.buffer_bytes,
            dropped=self._dropped.add,
        )
        try:
            await self._store.subscribe(scope, subscription, current=current)
        except StateFullError as error:
            raise self._noted(error) from None
        return subscription

    async def purge(self) -> int:
        """Remove what has expired now; how many values there were. Also done at intervals."""
        self._require_started()
        return await self._store.purge()

    def usage(self) -> StateUsage:
        """How much there is, as last known, without waiting."""
        return self._store.usage()

    async def _start(self) -> None:
        await self._store.start()
        self._purging = asyncio.get_running_loop().create_task(self._purge_at_intervals())

    async def _stop(self) -> None:
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.wait([self._purging])
            self._purging = None
        await self._store.stop()

    async def _check(self) -> str | None:
        if reason := await self._store.check():
            return reason
        used, limit = self._store.usage().bytes, self._values.max_bytes
        if used > 0.95 * limit:
            return f"{used} of {limit} bytes are taken; see BEDPLATE_STATE__MAX_BYTES"
        return None

    async def _purge_at_intervals(self) -> None:
        while True:
            await asyncio.sleep(self._values.purge_interval)
            try:
                await self._store.purge()
            except Exception as error:
                _log.warning("what has expired could not be removed; trying again later", error=error)

    def _require(self, scope: Scope, key: object = "-") -> None:
        if not self._started:
            self._require_started()
        if type(key) is str and key.isascii() and 0 < len(key) <= self._max_key and type(scope) is Scope:
            return
        check_place(scope, key, self._max_key)

    def _encode(self, key: str, value: Any) -> Item:
        try:
            item = self._codec.encode(value)
        except UncacheableError as error:
            raise StateValueError(error.kind, error.path, why=error.why) from None
        if len(item.data) > self._max_value:
            raise self._noted(StateValueTooLargeError(key, len(item.data), self._max_value))
        return item

    def _noted(self, error: StateFullError | StateValueTooLargeError) -> BedplateError:
        self._refused.add(1, limit=error.setting)
        return error

    def _observe(self, telemetry: TelemetryService) -> None:
        def reader(field: str) -> Any:
            return lambda: [(getattr(self._store.usage(), field), {})]

        for field, description in _MEASURED.items():
            telemetry.meter.observe_gauge(f"bedplate_state_{field}", description, reader(field))
        telemetry.meter.observe_counter("bedplate_state_expired", "Values that expired.", reader("expired"))


_MEASURED = {
    "scopes": "Runs, sessions and users that have values or subscriptions.",
    "entries": "Values kept.",
    "bytes": "Bytes that they count for.",
    "subscriptions": "Subscriptions.",
}
