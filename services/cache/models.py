"""Values that cross the boundary of the cache service."""

import enum
from typing import Final

import msgspec

__all__ = ["MISS", "CacheStats", "Item", "Miss"]


class Miss(enum.Enum):
    """The type of :data:`MISS`."""

    MISS = "MISS"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISS"


MISS: Final = Miss.MISS
"""What a lookup answers when there is nothing: falsy, and unlike any value that can be cached, None included."""


class Item(msgspec.Struct, frozen=True, eq=False):
    """A value as backends keep it.

    Attributes:
        data: The encoded value; with ``raw``, the value itself.
        raw: Whether the value is ``bytes``, kept as they are.
        scalar: The value itself where it is immutable, so that a backend in memory may hand it out; else MISS.
    """

    data: bytes
    raw: bool = False
    scalar: object = MISS


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """What has happened in one namespace since the service was built.

    Attributes:
        hits: Lookups that found a value.
        misses: Lookups that did not.
        loads: Loaders run by ``get_or_set``.
        failed_loads: Those of them that failed.
        refreshes: Loads begun in the background while a stale value was answered.
        timeouts: Loads and waits that took longer than their hard timeout.
        stale: Answers whose time was over, given instead of a wait or an error; counted as misses too.
        evictions: Values removed to make room, before their time.
        unstored: Loaded values that were too large, or that the backend failed to take, and so were only passed on.
        entries: Values kept now.
        bytes: Bytes of keys, tags and encoded values kept now.
    """

    hits: int
    misses: int
    loads: int
    failed_loads: int
    refreshes: int
    timeouts: int
    stale: int
    evictions: int
    unstored: int
    entries: int
    bytes: int
