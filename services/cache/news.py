"""What replicas tell each other: which values of theirs have gone, or are others now."""

from collections.abc import Collection, Iterable
from typing import Final, Literal

import msgspec

__all__ = ["News"]


class News(msgspec.Struct, frozen=True, array_like=True):
    """What has gone.

    Attributes:
        namespace: Of which namespace.
        what: Some keys, all that has one of some tags, or all.
        names: The keys, or the tags.
    """

    namespace: str
    what: Literal["keys", "tags", "all"]
    names: tuple[str, ...] = ()

    @classmethod
    def of_keys(cls, namespace: str, keys: Iterable[str]) -> bytes:
        """Some keys were written or deleted, as a message."""
        return _encode(cls(namespace, "keys", tuple(keys)))

    @classmethod
    def of_tags(cls, namespace: str, tags: Collection[str]) -> bytes:
        """Some tags were invalidated, as a message."""
        return _encode(cls(namespace, "tags", tuple(tags)))

    @classmethod
    def of_namespace(cls, namespace: str) -> bytes:
        """A namespace was cleared, as a message."""
        return _encode(cls(namespace, "all"))

    @classmethod
    def read(cls, message: bytes) -> "News":
        """What a message says.

        Raises:
            msgspec.MsgspecError: It is none of this form.
        """
        return _DECODER.decode(message)


_encode: Final = msgspec.msgpack.Encoder().encode
_DECODER: Final = msgspec.msgpack.Decoder(News)
