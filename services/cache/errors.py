"""Errors of the cache service.

::

    InvalidInputError
    ├── CacheKeyError              a key, namespace or time to live is not a possible one
    ├── UncacheableError           a value of this type would not come back as it was
    ├── NotANumberError            increment met a value that is no number
    └── TooLargeError
        └── CacheValueTooLargeError
    ConflictError
    └── RecursiveLoadError         a loader waits for its own result
    UnavailableError
    ├── CacheStorageError          the file, or the server, of the backend cannot be read or written
    ├── LoadCancelledError         the loader, or the whole cache, stopped before there was a value
    ├── LoadTimeoutError           a load took longer than its hard timeout
    └── TooManyHungLoadsError      too many loaders do not end though their time is over
    CorruptDataError
    └── UndecodableError           a stored value cannot be read back
"""

from bedplate.services.errors import (
    ConflictError,
    CorruptDataError,
    InvalidInputError,
    TooLargeError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "CacheKeyError",
    "CacheStorageError",
    "CacheValueTooLargeError",
    "LoadCancelledError",
    "LoadTimeoutError",
    "NotANumberError",
    "RecursiveLoadError",
    "TooManyHungLoadsError",
    "UncacheableError",
    "UndecodableError",
]


class CacheKeyError(InvalidInputError):
    """A key, a namespace or a time to live is not a possible one."""

    code = "cache_key"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.CACHE, fix=fix)


class UncacheableError(InvalidInputError):
    """A value would not come back equal and of the same type.

    Args:
        kind: The type of the part of the value that cannot be kept.
        why: The reason, if it is not that the type is unknown.

    Attributes:
        path: Where in the value that part stands, such as ``value['tools'][0]``.
    """

    code = "uncacheable"

    def __init__(self, kind: type, *, why: str | None = None) -> None:
        self.kind = f"{kind.__module__}.{kind.__qualname__}"
        self.path = "value"
        super().__init__(
            f"a value of type {self.kind} cannot be cached",
            service=ServiceType.CACHE,
            why=why,
            fix="cache plain data instead, or register the type with cache.register() if it is a type of yours",
        )

    def within(self, step: str) -> None:
        """Note, on the way out, that it stands at ``step`` of what encloses it."""
        self.path = f"value{step}{self.path.removeprefix('value')}"

    def __str__(self) -> str:
        path = self.path if len(self.path) < 200 else f"{self.path[:100]}…{self.path[-100:]}"
        return f"{super().__str__()} It stands at {path}."


class NotANumberError(InvalidInputError):
    """``increment`` met a value that is no number."""

    code = "cache_not_a_number"

    def __init__(self, key: str, kind: type) -> None:
        super().__init__(
            f"the value of {key!r} is of type {kind.__name__} and cannot be incremented",
            service=ServiceType.CACHE,
            fix="keep counters under keys of their own",
        )


class CacheValueTooLargeError(TooLargeError):
    """An encoded value is over the limit."""

    code = "cache_value_too_large"

    def __init__(self, key: str, size: int, limit: int) -> None:
        super().__init__(
            f"the value of {key!r} takes {size} bytes with its key, and the limit is {limit}",
            service=ServiceType.CACHE,
            fix="cache less, or raise BEDPLATE_CACHE__MAX_VALUE_BYTES (and BEDPLATE_CACHE__MAX_BYTES)",
        )


class RecursiveLoadError(ConflictError):
    """A loader asked for the value that it is loading, and would wait for itself for ever."""

    code = "cache_recursive_load"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the loader of {key!r} asks for {key!r} itself",
            service=ServiceType.CACHE,
            fix="have the loader compute the value without get_or_set of the same key",
        )


class CacheStorageError(UnavailableError):
    """The file of the disk backend, or the server of the Redis backend, cannot be read or written."""

    code = "cache_storage"

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(what, service=ServiceType.CACHE, why=why, fix=fix)


class LoadCancelledError(UnavailableError):
    """A loader was cancelled from within, or the cache stopped, before there was a value."""

    code = "cache_load_cancelled"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"loading {key!r} was cancelled", service=ServiceType.CACHE, fix="ask again if the cache still runs"
        )


class LoadTimeoutError(UnavailableError):
    """A load took longer than its hard timeout; it was ended, or its caller stopped waiting for it."""

    code = "cache_load_timeout"

    def __init__(self, key: str, limit: float) -> None:
        super().__init__(
            f"loading {key!r} took longer than {limit:g} seconds",
            service=ServiceType.CACHE,
            fix="make the loader faster, or raise hard_timeout (BEDPLATE_CACHE__HARD_TIMEOUT)",
        )


class TooManyHungLoadsError(UnavailableError):
    """So many loaders heed neither their timeout nor their cancellation that no other is begun."""

    code = "cache_hung_loads"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"{number} loaders go on after their timeout",
            service=ServiceType.CACHE,
            fix="let loaders end when they are cancelled, and run what blocks in a pool of threads",
        )


class UndecodableError(CorruptDataError):
    """A stored value cannot be read back, such as one of a type that has changed since."""

    code = "cache_undecodable"

    def __init__(self, why: str) -> None:
        super().__init__("a cached value cannot be read back", service=ServiceType.CACHE, why=why)
