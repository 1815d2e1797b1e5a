"""What may be kept with a file, and how it becomes bytes."""

import re
from typing import Any

import msgspec

from bedplate.services.storage.errors import FileMetadataError
from bedplate.services.storage.models import Metadata

__all__ = ["MAX_METADATA_BYTES", "check_metadata", "decode_metadata", "encode_metadata"]

MAX_METADATA_BYTES = 2048
"""Most bytes of what is kept with one file, names included (as of objects in S3)."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_FIX = "keep a few texts, numbers and booleans under names of lower-case letters, digits, '-' and '_'"

_decode = msgspec.msgpack.Decoder(dict[str, str | int | float | bool]).decode


def check_metadata(metadata: object) -> Metadata:
    """The metadata, as a dictionary of its own, if it is possible.

    Raises:
        FileMetadataError: It is not; the message says what is wrong with it.
    """
    if not hasattr(metadata, "items"):
        raise FileMetadataError("metadata is a mapping of names to values", fix=_FIX)
    kept: dict[Any, Any] = dict(metadata.items())
    for name, value in kept.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise FileMetadataError(f"{name!r:.80} is not a name for metadata", fix=_FIX)
        if type(value) not in (str, int, float, bool):
            raise FileMetadataError(f"a value of type {type(value).__name__} cannot be kept as {name!r}", fix=_FIX)
    try:
        size = len(encode_metadata(kept))
    except (OverflowError, UnicodeEncodeError):
        raise FileMetadataError(
            "a number beyond 64 bits, or text that is not Unicode, cannot be kept", fix=_FIX
        ) from None
    if size > MAX_METADATA_BYTES:
        raise FileMetadataError(f"{size} bytes of metadata are over the limit of {MAX_METADATA_BYTES}", fix=_FIX)
    return kept


def encode_metadata(metadata: Metadata) -> bytes:
    """The metadata as bytes."""
    return msgspec.msgpack.encode(metadata)


def decode_metadata(data: bytes) -> Metadata:
    """The metadata that was encoded; nothing if the bytes are something else."""
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
