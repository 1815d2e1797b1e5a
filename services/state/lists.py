"""Lists that grow by one encoded item at a time, without what is in them being read or copied.

A list is kept as its number of items and the encoded items one after another, which is the MessagePack array without
its header (https://github.com/msgpack/msgpack/blob/master/spec.md#array-format-family).
"""

from typing import Final

import msgspec

from bedplate.services.cache import Item

__all__ = ["GrowingList", "array"]

_FIXARRAY: Final = range(0x90, 0xA0)
_ARRAY16: Final = 0xDC
_ARRAY32: Final = 0xDD
_HEADER: Final = 5
"""Bytes of the longest header."""


class GrowingList:
    """An encoded list.

    Args:
        first: What is there already: a list, or a value that becomes the first item; None for an empty list.

    Attributes:
        size: Bytes of the whole, with the longest header.
    """

    __slots__ = ("_count", "_parts", "size")

    def __init__(self, first: Item | None) -> None:
        self._count = 0
        self._parts: list[bytes] = []
        self.size = _HEADER
        if first is None:
            return
        data = _encoded(first)
        found = _array(data)
        count, body = found if found is not None else (1, data)
        self._add(count, body)

    def size_with(self, item: Item) -> int:
        """Bytes of the whole if the item were added."""
        return self.size + len(item.data) + (_HEADER if item.raw else 0)

    def append(self, item: Item) -> None:
        """Add an item."""
        self._add(1, _encoded(item))

    def item(self) -> Item:
        """The whole list, encoded."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return Item(array(self._count, self._parts[0] if self._parts else b""))

    def _add(self, count: int, body: bytes) -> None:
        self._count += count
        self._parts.append(body)
        self.size += len(body)


def array(count: int, items: bytes) -> bytes:
    """A list, encoded, of so many items that are."""
    return _header(count) + items


def _encoded(item: Item) -> bytes:
    return msgspec.msgpack.encode(item.data) if item.raw else item.data


def _array(data: bytes) -> tuple[int, bytes] | None:
    """Number and encoded items of a list; None for any other value."""
    kind = data[0]
    if kind in _FIXARRAY:
        return kind - _FIXARRAY.start, data[1:]
    if kind == _ARRAY16:
        return int.from_bytes(data[1:3], "big"), data[3:]
    if kind == _ARRAY32:
        return int.from_bytes(data[1:5], "big"), data[5:]
    return None


def _header(count: int) -> bytes:
    if count < len(_FIXARRAY):
        return bytes((_FIXARRAY.start + count,))
    if count < 1 << 16:
        return bytes((_ARRAY16,)) + count.to_bytes(2, "big")
    return bytes((_ARRAY32,)) + count.to_bytes(4, "big")
