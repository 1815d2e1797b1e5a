"""``get_or_set``: one load for all who ask, and what is answered while it runs, hangs or fails."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import msgspec

from bedplate.services.cache.backend import Counts, Reader, Stale, Terms, cost_of
from bedplate.services.cache.core import CacheCore, Lifetime
from bedplate.services.cache.errors import (
    CacheStorageError,
    RecursiveLoadError,
    UncacheableError,
)
from bedplate.services.cache.flights import Flights
from bedplate.services.cache.models import MISS, Item
from bedplate.services.cache.policy import LoadOptions, LoadPolicy
from bedplate.services.cache.seats import Flight, StillLoadingError
from bedplate.services.cache.sharing import SharedLoads, Turn
from bedplate.services.cache.values import Values

__all__ = ["Loading"]

MAX_RESTING = 10_000
"""Keys of a namespace whose last load failed that are remembered; those that failed longest ago are forgotten first."""

_Loaded = tuple[Item, bool]  # whether the value was there already
_Loader = Callable[[], Awaitable[Any]]
_Load = Callable[[Flight[_Loaded]], Awaitable[_Loaded]]


class _Plan(NamedTuple):
    """What one call of ``get_or_set`` is about."""

    key: str
    load: _Load
    tags: tuple[str, ...]
    policy: LoadPolicy


class Loading:
    """The loads of one namespace.

    Args:
        core: What the namespaces share.
        namespace: Its name.
        counts: Where loads are counted.
        values: What encodes and decodes its values.
        miss: Counts the miss of a key that an instant backend does not have.
    """

    def __init__(self, core: CacheCore, namespace: str, counts: Counts, values: Values, miss: Reader) -> None:
        self._core = core
        self._name = namespace
        self._counts = counts
        self._values = values
        self._instant = core.store.instant
        self._near = (
            core.store.reader(namespace, counts, miss if self._instant else _not_near) if core.store.near else None
        )
        self._shared = SharedLoads(core, namespace, self._lookup)
        self._flights: Flights[_Loaded] = Flights(self._failed_unseen)
        self._resting: OrderedDict[str, float] = OrderedDict()
        self.detach = self._flights.detach
        self.detach_all = self._flights.detach_all
        self.detach_tagged = self._flights.detach_tagged
        self.close = self._flights.close

    @property
    def timeouts(self) -> int:
        """How many loads and waits took longer than their hard timeout."""
        return self._flights.timeouts

    async def get_or_set(
        self, key: str, loader: _Loader, ttl: Lifetime, tags: Iterable[str], options: LoadOptions
    ) -> Any:
        """See :meth:`bedplate.services.cache.CacheNamespace.get_or_set`."""
        if self._near is not None and (value := await self._near(key)) is not MISS:
            return value
        self._core.require(key)
        policy = self._core.policy(options)
        terms = self._core.terms(ttl, tags, grace=policy.grace)
        plan = _Plan(key=key, load=partial(self._load, loader=loader, terms=terms), tags=terms.tags, policy=policy)
        # No await stands between the miss of an instant backend and here; others look again when it is their turn.
        stale = await self._stale(key) if policy.grace else None
        if stale is None or stale.late > policy.grace:
            return await self._fly(plan, soft=None)
        if stale.late <= 0:
            self._counts.hits += 1
            return self._core.codec.value(stale.item)
        if stale.late <= policy.revalidate:
            if not self._is_resting(key):
                self._counts.refreshes += self._flights.begin(key, plan.load, tags=terms.tags, hard=policy.hard)
            return self._answer(stale)
        return await self._fly_or_answer(plan, stale)

    async def _fly_or_answer(self, plan: _Plan, stale: Stale) -> Any:
        """Load, or answer with the stale value where that fails or takes too long."""
        if self._is_resting(plan.key):
            return self._answer(stale)
        try:
            return await self._fly(plan, soft=plan.policy.soft)
        except StillLoadingError:
            return self._answer(stale)
        except (UncacheableError, RecursiveLoadError):
            raise  # the program is wrong, not the source down
        except Exception as error:
            self._failed_unseen(plan.key, error)
            return self._answer(stale)

    async def _fly(self, plan: _Plan, *, soft: float | None) -> Any:
        item, was_there = await self._flights.join(
            plan.key, plan.load, tags=plan.tags, soft=soft, hard=plan.policy.hard
        )
        if was_there:
            self._counts.hits += 1
        else:
            self._missed()
        return self._core.codec.value(item)

    async def _load(self, flight: Flight[_Loaded], *, loader: _Loader, terms: Terms) -> _Loaded:
        task = flight.task
        async with self._shared.turn(
            flight.key, terms.tags, lambda: flight.task is task and not flight.detached
        ) as turn:
            if turn.item is not None:
                return turn.item, True
            self._counts.loads += 1
            try:
                item = self._core.codec.encode(await loader())
            except BaseException:
                self._counts.failed_loads += 1
                raise
            self._resting.pop(flight.key, None)
            if flight.is_wanted:
                await self._keep(flight.key, item, terms, turn)
        return item, False

    async def _keep(self, key: str, item: Item, terms: Terms, turn: Turn) -> None:
        kept = False
        try:
            if cost_of(key, item, terms.tags) > self._core.max_value_bytes:
                turn.in_vain = True
            elif turn.may_keep:
                terms = msgspec.structs.replace(terms, since=turn.since, lease=turn.lease)
                kept = await self._core.store.put(self._name, {key: item}, terms)
        except CacheStorageError as error:
            self._core.warn("a loaded value could not be kept", self._name, error)
        if not kept:
            self._counts.unstored += 1

    async def _lookup(self, key: str) -> Item | None:
        """The item that is there.

        Raises:
            CacheStorageError: The backend cannot be read.
        """
        item = (await self._core.store.get(self._name, [key])).get(key)
        return None if self._values.of(item) is MISS else item

    async def _stale(self, key: str) -> Stale | None:
        try:
            stale = await self._core.store.stale(self._name, key)
        except CacheStorageError as error:
            self._core.warn("the cache could not be read, so the value is loaded", self._name, error)
            return None
        return None if stale is None or self._values.of(stale.item) is MISS else stale

    def _answer(self, stale: Stale) -> Any:
        self._counts.stale += 1
        self._missed()
        return self._core.codec.value(stale.item)

    def _missed(self) -> None:
        if not self._instant:  # else it has counted the miss itself
            self._counts.misses += 1

    def _failed_unseen(self, key: str, error: BaseException) -> None:
        """Note a failure that no caller sees."""
        if isinstance(error, Exception):
            self._core.warn("a stale value is answered, since a new one could not be loaded", self._name, error)
        self._resting[key] = time.monotonic() + self._core.retry_interval
        self._resting.move_to_end(key)
        if len(self._resting) > MAX_RESTING:
            self._resting.popitem(last=False)

    def _is_resting(self, key: str) -> bool:
        """Whether the last load failed but a moment ago."""
        until = self._resting.get(key)
        if until is None:
            return False
        if time.monotonic() < until:
            return True
        del self._resting[key]
        return False


async def _not_near(_key: str) -> Any:
    """Count nothing: it may be further away."""
    return MISS


def _is_wanted(flight: Flight[_Loaded], task: object) -> bool:
    """Whether what a task loads for a flight is still of use to others."""
    return flight.task is task and not flight.detached
