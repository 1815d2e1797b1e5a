"""What the namespaces of one cache share: backend, codec, and the rules for keys and times to live."""

import math
import random
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from bedplate.services.cache.backend import CacheBackend, Terms
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.errors import CacheKeyError
from bedplate.services.cache.policy import LoadOptions, LoadPolicy
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.cache import CacheSettings

__all__ = ["CacheCore", "Lifetime"]

Lifetime = float | timedelta | None

WARNING_INTERVAL = 10.0
"""Seconds between two warnings of one kind: a broken disk fails every call."""

_log = get_logger("bedplate.cache")


class CacheCore:
    """The shared part of a cache.

    Args:
        settings: The settings of the cache.
        store: The backend.
        codec: What encodes and decodes values.
        require_started: Raises if the cache is not started.

    Attributes:
        max_value_bytes: The largest encoded value, with its key and its tags.
        retry_interval: Seconds after a failed load in which a stale value is answered without another one.
    """

    def __init__(
        self, settings: CacheSettings, store: CacheBackend, codec: Codec, require_started: Callable[[], None]
    ) -> None:
        self.store = store
        self.codec = codec
        self.max_value_bytes = min(settings.max_value_bytes, settings.max_bytes)
        self.retry_interval = settings.retry_interval
        self._settings = settings
        self._require_started = require_started
        self._warnings: dict[str, tuple[float, int]] = {}

    def require(self, *keys: object) -> None:
        """Raise unless the cache is started and the keys are possible ones."""
        self._require_started()
        for key in keys:
            if not isinstance(key, str) or not key:
                raise CacheKeyError(f"{key!r:.80} is not a key", fix="use a text that is not empty")
            try:
                size = len(key.encode())
            except UnicodeEncodeError:
                raise CacheKeyError(f"{key!r:.80} is not valid Unicode", fix="encode or hash it first") from None
            if size > self._settings.max_key_bytes:
                raise CacheKeyError(
                    f"a key of {size} bytes is over the limit of {self._settings.max_key_bytes}",
                    fix="hash long keys, or raise BEDPLATE_CACHE__MAX_KEY_BYTES",
                )

    def lifetime(self, ttl: Lifetime, *, exact: bool = False) -> float:
        """Seconds to live, with jitter unless ``exact``; ``inf`` for ever."""
        seconds: Any = ttl
        if ttl is None:
            seconds = self._settings.ttl or math.inf
        elif isinstance(ttl, timedelta):
            seconds = ttl.total_seconds()
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise CacheKeyError(
                f"a value cannot live for {ttl!r:.80} seconds",
                fix="give a positive number, math.inf for no end, or None for the default; delete() forgets a value",
            )
        if exact or seconds == math.inf:
            return float(seconds)
        return float(seconds) * (1 - self._settings.ttl_jitter * random.random())  # noqa: S311 - spreads load, hides nothing

    def terms(self, ttl: Lifetime, tags: Iterable[str] = (), *, grace: float = 0.0) -> Terms:
        """The terms on which a computed value is kept."""
        return Terms(lifetime=self.lifetime(ttl), grace=grace, tags=self.tags(tags))

    def tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        """The tags, each once, if they are possible ones."""
        if isinstance(tags, str):
            raise CacheKeyError(f"{tags!r:.80} is one tag, and not a collection of tags", fix="give a list of texts")
        kept = tuple(dict.fromkeys(tags))
        self.require(*kept)
        if len(kept) > self._settings.max_tags:
            raise CacheKeyError(
                f"{len(kept)} tags are over the limit of {self._settings.max_tags}",
                fix="use fewer and broader tags, or raise BEDPLATE_CACHE__MAX_TAGS",
            )
        return kept

    def policy(self, options: LoadOptions) -> LoadPolicy:
        """What ``get_or_set`` does about stale values and slow loaders, by its options or else by the settings."""
        settings = self._settings
        most = settings.max_stale
        return LoadPolicy(
            revalidate=self._seconds(options, "stale_while_revalidate", settings.stale_while_revalidate, most),
            on_error=self._seconds(options, "stale_if_error", settings.stale_if_error, most),
            soft=self._seconds(options, "soft_timeout", settings.soft_timeout, math.inf) or None,
            hard=self._seconds(options, "hard_timeout", settings.hard_timeout, math.inf) or None,
        )

    def _seconds(self, options: LoadOptions, name: str, default: float, most: float) -> float:
        given: Any = options.get(name)
        if given is None:
            return min(default, most)
        seconds = given.total_seconds() if isinstance(given, timedelta) else given
        if not isinstance(seconds, int | float) or not 0 <= seconds <= most or seconds == math.inf:
            raise CacheKeyError(
                f"{name} cannot be {given!r:.80}",
                fix=f"give a number of seconds, at most {most:g} (BEDPLATE_CACHE__MAX_STALE)"
                if most != math.inf
                else "give a number of seconds, or 0 for no limit",
            )
        return float(seconds)

    def warn(self, what: str, namespace: str, error: Exception) -> None:
        """Log a warning, unless one of its kind was logged a moment ago; those left out are counted in the next."""
        now = time.monotonic()
        last, left_out = self._warnings.get(what, (-math.inf, 0))
        if now - last < WARNING_INTERVAL:
            self._warnings[what] = (last, left_out + 1)
            return
        self._warnings[what] = (now, 0)
        _log.warning(what, namespace=namespace, error=error, left_out=left_out)
