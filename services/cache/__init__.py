"""The cache service: values by key, bounded in number, size and time."""

from bedplate.services.cache.codec import Codec
from bedplate.services.cache.errors import (
    CacheKeyError,
    CacheStorageError,
    CacheValueTooLargeError,
    LoadCancelledError,
    LoadTimeoutError,
    NotANumberError,
    RecursiveLoadError,
    TooManyHungLoadsError,
    UncacheableError,
    UndecodableError,
)
from bedplate.services.cache.models import MISS, CacheStats, Item, Miss
from bedplate.services.cache.namespace import CacheNamespace
from bedplate.services.cache.policy import LoadOptions
from bedplate.services.cache.service import CacheService

__all__ = [
    "MISS",
    "CacheKeyError",
    "CacheNamespace",
    "CacheService",
    "CacheStats",
    "CacheStorageError",
    "CacheValueTooLargeError",
    "Codec",
    "Item",
    "LoadCancelledError",
    "LoadOptions",
    "LoadTimeoutError",
    "Miss",
    "NotANumberError",
    "RecursiveLoadError",
    "TooManyHungLoadsError",
    "UncacheableError",
    "UndecodableError",
]
