"""Values into items and back, as one namespace takes and gives them."""

from collections.abc import Collection
from typing import Any

from bedplate.services.cache.backend import cost_of
from bedplate.services.cache.core import CacheCore
from bedplate.services.cache.errors import CacheValueTooLargeError, UndecodableError
from bedplate.services.cache.models import MISS, Item

__all__ = ["Values"]


class Values:
    """Encodes and decodes the values of one namespace.

    Args:
        core: What the namespaces share.
        namespace: Its name.
    """

    def __init__(self, core: CacheCore, namespace: str) -> None:
        self._core = core
        self._namespace = namespace

    def fitting(self, key: str, value: Any, tags: Collection[str] = ()) -> Item:
        """The item of a value.

        Raises:
            UncacheableError: It would not come back equal and of the same type.
            CacheValueTooLargeError: It is over the limit.
        """
        item = self._core.codec.encode(value)
        if (cost := cost_of(key, item, tags)) > self._core.max_value_bytes:
            raise CacheValueTooLargeError(key, cost, self._core.max_value_bytes)
        return item

    def of(self, item: Item | None) -> Any:
        """The item's value; MISS where there is none, or none that can be read any more."""
        if item is None:
            return MISS
        try:
            return self._core.codec.value(item)
        except UndecodableError as error:
            self._core.warn("a cached value could not be read back", self._namespace, error)
            return MISS
