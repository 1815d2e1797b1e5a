"""The operations of the cache on one namespace, with the policy that all backends share."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, Unpack

from bedplate.services.cache.backend import Counts, Terms, Usage
from bedplate.services.cache.core import CacheCore, Lifetime
from bedplate.services.cache.errors import NotANumberError
from bedplate.services.cache.loading import Loading
from bedplate.services.cache.models import MISS, CacheStats, Item
from bedplate.services.cache.policy import LoadOptions
from bedplate.services.cache.values import Values

__all__ = ["CacheNamespace"]

T = TypeVar("T")


class CacheNamespace:
    """A cache of its own inside the cache: keys of other namespaces are neither seen nor touched.

    Every value that a caller gets is the caller's own: changing it changes nothing in the cache and nobody else's copy.
    ``bytes`` and immutable scalars are passed as they are.

    Times to live are seconds or a ``timedelta``; None is the configured default, ``math.inf`` means until evicted.
    Values that are computed (``set``, ``set_many``, ``upsert``, ``get_or_set``) live up to the configured share less,
    so that those set together do not end together; ``touch`` and ``increment`` are exact.

    Tags are texts, by which :meth:`invalidate` lets go of many values at once. They belong to the value that they were
    given with: another one under the same key has those that it is given, and ``upsert`` and ``increment`` keep them.

    Every method may raise:
        CacheKeyError: The key is no text, empty or too long, or the time to live is not a positive number.
        CacheStorageError: The backend cannot read or write.
        UnavailableError: The cache is not started.

    Attributes:
        name: The name of the namespace.
    """

    def __init__(self, name: str, core: CacheCore) -> None:
        self.name = name
        self._core = core
        self._backend = core.store
        self._counts = Counts()
        self._values = Values(core, name)
        otherwise = self._miss if core.store.instant else self._wait_and_read
        reader = core.store.reader(name, self._counts, otherwise)
        self._read = reader or self._wait_and_read
        self._loading = Loading(core, name, self._counts, self._values, self._miss)
        if reader is not None and type(self).get is CacheNamespace.get:
            # The hot path: the function itself, instead of a call to it from a method. It is no operation that is
            # timed either, which would take longer than it does; hits and misses are counted as it is.
            self.get = reader  # type: ignore[assignment,method-assign]

    async def get(self, key: str) -> Any:
        """The value of ``key``, or the falsy :data:`~bedplate.services.cache.MISS`."""
        return await self._read(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that are there, by key."""
        wanted = list(dict.fromkeys(keys))
        self._core.require(*wanted)
        found = {
            key: value
            for key, item in (await self._backend.get(self.name, wanted)).items()
            if (value := self._values.of(item)) is not MISS
        }
        self._counts.hits += len(found)
        self._counts.misses += len(wanted) - len(found)
        return found

    async def set(self, key: str, value: Any, ttl: Lifetime = None, *, tags: Iterable[str] = ()) -> None:
        """Keep ``value`` under ``key``.

        Raises:
            UncacheableError: It would not come back equal and of the same type.
            CacheValueTooLargeError: It is over the limit.
        """
        self._core.require(key)
        await self.set_many({key: value}, ttl, tags=tags)

    async def set_many(self, values: Mapping[str, Any], ttl: Lifetime = None, *, tags: Iterable[str] = ()) -> None:
        """Keep all of the values, or none if one of them is refused as in :meth:`set`."""
        self._core.require(*values)
        terms = self._core.terms(ttl, tags)
        items = {key: self._values.fitting(key, value, terms.tags) for key, value in values.items()}
        for key in items:
            self._loading.detach(key)
        await self._backend.put(self.name, items, terms)

    async def get_or_set(
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        ttl: Lifetime = None,
        *,
        tags: Iterable[str] = (),
        **options: Unpack[LoadOptions],
    ) -> T:
        """The value of ``key``; where there is none, what ``loader`` returns, kept from then on.

        For any number of callers at once one loader runs: of this process, and of all replicas where the backend is
        shared by them and the setting ``load_lease`` is not 0. A caller that is cancelled does not end the load while
        others wait. When a loader fails, its caller gets the error and the next caller's loader is tried; when that
        fails too, all who wait get its error. A key that is written or deleted while it is loaded does not get the
        loaded value, nor does one whose tag is invalidated meanwhile.

        Args:
            key: The key.
            loader: Makes the value.
            ttl: How long the value lives.
            tags: What it can be invalidated by.
            options: What to do about stale values and slow loaders; what is not given is taken from the settings.

        Raises:
            UncacheableError: The loaded value would not come back equal and of the same type.
            RecursiveLoadError: The loader waits for its own result.
            LoadCancelledError: The loader was cancelled, though the caller was not.
            LoadTimeoutError: The hard timeout is over, and there is no stale value that may be given.
            Exception: What a loader raised, where there is no stale value that may be given.
        """
        result: T = await self._loading.get_or_set(key, loader, ttl, tags, options)
        return result

    async def invalidate(self, *tags: str) -> None:
        """Forget every value that has one of the tags, at the same cost for one value and for a million.

        It is atomic: a value that is set before this is gone after it, also for who would take a stale one, and a value
        that ``get_or_set`` began to load before this is given to those who wait, but not kept.
        """
        self._core.require()
        wanted = self._core.tags(tags)
        self._loading.detach_tagged(wanted)
        await self._backend.invalidate(self.name, wanted)

    async def upsert(self, key: str, update: Any, ttl: Lifetime = None, *, tags: Iterable[str] = ()) -> Any:
        """Change a value with nobody writing in between, and return the new one.

        Args:
            key: The key.
            update: A mapping, merged into a dict that is there (its top level); a function, called with the value that
                is there, or MISS, which returns the new one; or any other value, which replaces what is there. A
                function is quick and free of side effects: it may run more than once, and in another thread.
            ttl: How long the new value lives.
            tags: What it can be invalidated by, beside the tags of the value that is there.

        Raises:
            UncacheableError, CacheValueTooLargeError: As in :meth:`set`.
            Exception: What the function raised; nothing has changed then.
        """
        self._core.require(key)
        terms = self._core.terms(ttl, tags)

        def change(item: Item | None) -> Item:
            present = self._values.of(item)
            if callable(update):
                return self._values.fitting(key, update(present))
            if isinstance(update, Mapping) and isinstance(present, dict):
                return self._values.fitting(key, present | dict(update))
            return self._values.fitting(key, update)

        self._loading.detach(key)
        item = await self._backend.update(self.name, key, change, terms, keep=False)
        return self._core.codec.value(item)

    async def increment(self, key: str, amount: float = 1, ttl: Lifetime = None) -> float:
        """Add ``amount`` to a number with nobody writing in between, and return the sum.

        Args:
            key: The key; where there is nothing, the sum starts at 0.
            amount: What to add; may be negative.
            ttl: How long a new number lives; one that is there keeps the time it has.

        Raises:
            NotANumberError: There is a value that is neither an int nor a float.
        """
        self._core.require(key)

        def change(item: Item | None) -> Item:
            present = 0 if (value := self._values.of(item)) is MISS else value
            if type(present) not in (int, float):
                raise NotANumberError(key, type(present))
            return self._values.fitting(key, present + amount)

        self._loading.detach(key)
        terms = Terms(lifetime=self._core.lifetime(ttl, exact=True))
        item = await self._backend.update(self.name, key, change, terms, keep=True)
        total: float = self._core.codec.value(item)
        return total

    async def delete(self, key: str) -> bool:
        """Forget a key; whether it was there."""
        self._core.require(key)
        self._loading.detach(key)
        return await self._backend.delete(self.name, key)

    async def exists(self, key: str) -> bool:
        """Whether there is a value that has not expired; does not count as a use of it."""
        return await self.ttl(key) is not None

    async def ttl(self, key: str) -> float | None:
        """Seconds that a value still has, ``inf`` for one without an end, None where there is none."""
        self._core.require(key)
        return await self._backend.left(self.name, key)

    async def touch(self, key: str, ttl: Lifetime = None) -> bool:
        """Give a value a new time to live from now on; whether it was there."""
        self._core.require(key)
        return await self._backend.touch(self.name, key, self._core.lifetime(ttl, exact=True))

    async def clear(self) -> int:
        """Forget every key of this namespace, and of no other; how many there were."""
        self._core.require()
        self._loading.detach_all()
        return await self._backend.clear(self.name)

    def stats(self, usage: Mapping[str, Usage] | None = None) -> CacheStats:
        """What has happened here since the service was built; ``usage`` saves asking the backend again."""
        used = (self._backend.usage() if usage is None else usage).get(self.name, Usage(0, 0))
        return CacheStats(
            hits=self._counts.hits,
            misses=self._counts.misses,
            loads=self._counts.loads,
            failed_loads=self._counts.failed_loads,
            refreshes=self._counts.refreshes,
            timeouts=self._loading.timeouts,
            stale=self._counts.stale,
            evictions=self._backend.evictions.get(self.name, 0),
            unstored=self._counts.unstored,
            entries=used.entries,
            bytes=used.bytes,
        )

    async def close_loads(self) -> None:
        """Cancel every load under way; the service calls it when it stops."""
        await self._loading.close()

    async def _wait_and_read(self, key: str) -> Any:
        self._core.require(key)
        value = self._values.of((await self._backend.get(self.name, [key])).get(key))
        if value is MISS:
            self._counts.misses += 1
        else:
            self._counts.hits += 1
        return value

    async def _miss(self, key: str) -> Any:
        self._counts.misses += 1
        self._core.require(key)
        return MISS
