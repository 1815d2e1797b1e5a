"""What the keys of the cache at a Redis server are called."""

import secrets

__all__ = ["RedisNames", "fresh"]

_LAYOUT = "1"
"""Part of every key: releases that keep items in another form do not meet."""


def fresh() -> str:
    """The name of a new generation, or of a load: 12 letters, digits, ``-`` and ``_`` that nobody had before."""
    return secrets.token_urlsafe(9)


class RedisNames:
    """The names of keys and of the channel.

    A namespace has no ``|`` in its name, so that no two of them can share a key.

    Args:
        prefix: What the keys of the installation begin with.

    Attributes:
        channel: Where it is said what has gone.
        census: Who counts, and for how long nobody else does.
        usage: What was counted last.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}cache:{_LAYOUT}:"
        self._items = f"{self._prefix}v:"
        self.channel = f"{self._prefix}gone"
        self.census = f"{self._prefix}census"
        self.usage = f"{self._prefix}usage"

    def item(self, namespace: str, key: str) -> str:
        """Of a value."""
        return f"{self._items}{namespace}|{key}"

    def items(self, namespace: str | None = None) -> str:
        """A pattern of those of all values, or of those of one namespace."""
        return f"{self._items}*" if namespace is None else f"{self._items}{namespace}|*"

    def namespace_of(self, item: bytes) -> str:
        """Whose the value is that has this key."""
        return item[len(self._items) :].partition(b"|")[0].decode()

    def uncounted(self, namespace: str) -> int:
        """How many bytes of a value's key are not the caller's."""
        return len(self.item(namespace, ""))

    def generation(self, namespace: str) -> str:
        """Of the generation of a namespace."""
        return f"{self._prefix}g:{namespace}"

    def tags(self, namespace: str) -> str:
        """What the keys of the generations of tags begin with; the tag follows."""
        return f"{self._prefix}t:{namespace}|"

    def load(self, namespace: str, key: str) -> str:
        """Of who loads a value."""
        return f"{self._prefix}l:{namespace}|{key}"
