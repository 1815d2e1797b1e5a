"""What the local backend keeps with a file beside its content, as extended attributes. All of it blocks."""

import contextlib
import errno
import os
import struct
import sys

from bedplate.services.storage.errors import StorageAccessError
from bedplate.services.storage.metadata import decode_metadata, encode_metadata
from bedplate.services.storage.models import Metadata

__all__ = ["record_digest", "record_metadata", "recorded_digest", "recorded_metadata"]

_DIGEST = "user.bedplate"
_METADATA = "user.bedplate.metadata"
_RECORD = struct.Struct("<QQ32s")


def record_digest(descriptor: int, status: os.stat_result, digest: bytes) -> None:
    """Keep the digest with the file; where there are no attributes, it is computed when it is asked for."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setxattr(descriptor, _DIGEST, _RECORD.pack(status.st_size, status.st_mtime_ns, digest))


def recorded_digest(descriptor: int, status: os.stat_result) -> str | None:
    """The sha256 that was recorded with the file, if there is one and the file was not changed since."""
    if sys.platform != "linux":
        return None
    try:
        size, modified, digest = _RECORD.unpack(os.getxattr(descriptor, _DIGEST))
    except (OSError, struct.error):
        return None
    return digest.hex() if (size, modified) == (status.st_size, status.st_mtime_ns) else None


def record_metadata(descriptor: int, metadata: Metadata) -> None:
    """Keep the metadata with the file, in place of what was kept.

    Raises:
        StorageAccessError: The file system has no extended attributes.
    """
    if sys.platform != "linux":
        if metadata:
            raise StorageAccessError("this system keeps no attributes of files")
        return
    if not metadata:
        with contextlib.suppress(OSError):  # there are none
            os.removexattr(descriptor, _METADATA)
        return
    try:
        os.setxattr(descriptor, _METADATA, encode_metadata(metadata))
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EPERM):
            raise StorageAccessError("this file system keeps no attributes of files") from error
        raise


def recorded_metadata(descriptor: int) -> Metadata:
    """The metadata that is kept with the file."""
    if sys.platform != "linux":
        return {}
    try:
        return decode_metadata(os.getxattr(descriptor, _METADATA))
    except OSError:
        return {}
