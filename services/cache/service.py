"""The cache service."""

import asyncio
import builtins
import re
from collections.abc import Iterable
from typing import Any

from bedplate.services.base import Service
from bedplate.services.cache.backend import CacheBackend
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.core import CacheCore
from bedplate.services.cache.errors import CacheKeyError
from bedplate.services.cache.models import CacheStats
from bedplate.services.cache.namespace import CacheNamespace
from bedplate.services.cache.registered import Dump, Load
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["DEFAULT_NAMESPACE", "CacheService"]

DEFAULT_NAMESPACE = "default"

_NAMESPACE = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")

_log = get_logger("bedplate.cache")


class CacheService(Service, CacheNamespace):
    """A cache: the operations of :class:`CacheNamespace` on the namespace ``"default"``, and further namespaces.

    Args:
        settings: The settings.
        telemetry: Where hits, misses, loads, evictions and sizes are counted, by namespace.
        store: The backend.
        codec: What encodes and decodes values.
    """

    type = ServiceType.CACHE
    uncounted = frozenset({"namespace"})

    def __init__(
        self, settings: SettingsService, telemetry: TelemetryService, store: CacheBackend, codec: Codec
    ) -> None:
        values = settings.values.cache
        self.backend = store.name
        self._max_namespaces = values.max_namespaces
        self._purge_interval = values.purge_interval
        self._purging: asyncio.Task[None] | None = None
        CacheNamespace.__init__(
            self, DEFAULT_NAMESPACE, CacheCore(values, store, codec, require_started=self._require_started)
        )
        self._namespaces: dict[str, CacheNamespace] = {self.name: self}
        self._observe(telemetry)

    def namespace(self, name: str) -> CacheNamespace:
        """The cache under that name; always the same object for the same name.

        Args:
            name: 1 to 64 letters, digits and ``_ . : / -``, chosen by code; what varies belongs into the key.

        Raises:
            CacheKeyError: The name is not a possible one, or there are too many namespaces.
        """
        known = self._namespaces.get(name)
        if known is not None:
            return known
        if not _NAMESPACE.fullmatch(name):
            raise CacheKeyError(
                f"{name!r:.80} is not a namespace", fix="use 1 to 64 letters, digits and the characters _ . : / -"
            )
        if len(self._namespaces) >= self._max_namespaces:
            raise CacheKeyError(
                f"there are {len(self._namespaces)} namespaces already",
                fix="put what varies into the key, or raise BEDPLATE_CACHE__MAX_NAMESPACES",
            )
        made = self._namespaces[name] = CacheNamespace(name, self._core)
        self._tell_of_part("", made)
        return made

    def parts(self) -> Iterable[tuple[str, object]]:
        """Its namespaces, whose operations are those of the cache."""
        return [("", namespace) for namespace in self._namespaces.values() if namespace is not self]

    def register(
        self, cls: builtins.type, *, name: str | None = None, dump: Dump | None = None, load: Load | None = None
    ) -> None:
        """Allow values of a type of one's own; of exactly this type, not of its subclasses.

        Args:
            cls: A ``msgspec.Struct``, dataclass, Enum or NamedTuple, or any type with ``dump`` and ``load``.
            name: What it is called in stored values, so that these survive its moving; default: module and name.
            dump: Takes a value apart into values that can be cached.
            load: Makes a value of what ``dump`` gave.

        Raises:
            UncacheableError: Its values cannot be compared, or nothing is known of how to take them apart.
        """
        self._core.codec.register(cls, name=name, dump=dump, load=load)

    def statistics(self) -> dict[str, CacheStats]:
        """What has happened in each namespace since the service was built, and what it takes up now.

        Where values are kept outside this process, entries and bytes are as of the last purge.
        """
        usage = self._core.store.usage()
        return {name: namespace.stats(usage) for name, namespace in list(self._namespaces.items())}

    async def purge(self) -> int:
        """Remove what has expired from every namespace now; how many values there were. Also done at intervals."""
        self._core.require()
        return await self._core.store.purge()

    async def _start(self) -> None:
        await self._core.store.start()
        self._purging = asyncio.get_running_loop().create_task(self._purge_at_intervals())

    async def _stop(self) -> None:
        if self._purging is not None:
            self._purging.cancel()
            await asyncio.wait([self._purging])
            self._purging = None
        for namespace in list(self._namespaces.values()):
            await namespace.close_loads()
        await self._core.store.stop()

    async def _check(self) -> str | None:
        await self._core.store.check()
        return None

    async def _purge_at_intervals(self) -> None:
        while True:
            await asyncio.sleep(self._purge_interval)
            try:
                await self._core.store.purge(self._purge_interval)
            except Exception as error:
                _log.warning("what has expired could not be removed; trying again later", error=error)

    def _observe(self, telemetry: TelemetryService) -> None:
        def read(field: str) -> Iterable[tuple[float, dict[str, str]]]:
            for name, stats in self.statistics().items():
                yield getattr(stats, field), {"namespace": name}

        def reader(field: str) -> Any:
            return lambda: read(field)

        for field, description in _COUNTED.items():
            name = f"bedplate_cache_{field}"
            telemetry.meter.observe_counter(name, description, reader(field), labels=("namespace",))
        for field, description in _MEASURED.items():
            name = f"bedplate_cache_{field}"
            telemetry.meter.observe_gauge(name, description, reader(field), labels=("namespace",))


_COUNTED = {
    "hits": "Lookups that found a value.",
    "misses": "Lookups that did not find a value.",
    "loads": "Loaders run.",
    "failed_loads": "Loaders that failed.",
    "refreshes": "Loads begun in the background while a stale value was answered.",
    "timeouts": "Loads and waits that took longer than their hard timeout.",
    "stale": "Answers whose time was over, given instead of a wait or an error.",
    "evictions": "Values removed to make room, before their time.",
    "unstored": "Loaded values that were not kept.",
}
_MEASURED = {"entries": "Values kept.", "bytes": "Bytes of keys, tags and encoded values kept."}
