"""Lists of files, page by page."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from bedplate.services.errors import InvalidInputError
from bedplate.services.schema import ServiceType
from bedplate.services.storage.models import FileInfo
from bedplate.services.storage.names import is_name

__all__ = ["FilePage", "decode_cursor", "page_of"]


class FilePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some files of a namespace, by name.

    Attributes:
        files: The files.
        cursor: What the next page begins after; None: there is none.
    """

    files: Sequence[FileInfo]
    cursor: str | None


def page_of(found: Sequence[FileInfo], limit: int) -> FilePage:
    """The page of at most ``limit`` files, of one more that was looked for."""
    files = found[:limit]
    return FilePage(files=files, cursor=_encode(files[-1].name) if len(found) > limit and files else None)


def decode_cursor(cursor: str | None) -> str:
    """The name that a page begins after; empty for the first.

    Raises:
        InvalidInputError: It is no cursor.
    """
    if cursor is None:
        return ""
    try:
        name = base64.b64decode(cursor, b"-_", validate=True).decode()
    except (binascii.Error, ValueError):  # a UnicodeError is one, too
        name = ""
    if not is_name(name):
        raise InvalidInputError(
            "this is no cursor of a list of files", service=ServiceType.STORAGE, fix="begin without a cursor"
        )
    return name


def _encode(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()
