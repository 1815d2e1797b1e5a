"""Conditional requests and ranges of files (RFC 9110, 13 and 14), as far as servers have to decide them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum

from bedplate.services.storage import FileInfo

__all__ = ["Decision", "decide", "http_date", "matches", "range_of"]

_TAG = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*')
_RANGES = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)
_HUGE = 2**63
"""Larger than any file; what has more digits than this is as good as this."""


class Decision(StrEnum):
    """What the conditions of a request come to."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


def decide(headers: Mapping[str, str], file: FileInfo) -> Decision:
    """Evaluate the conditions of a GET in the order of RFC 9110, 13.2.2."""
    if (wanted := headers.get("if-match")) is not None:
        if not matches(wanted, file.etag, weakly=False):
            return Decision.FAILED
    elif (since := _date(headers.get("if-unmodified-since"))) is not None and _changed(file) > since:
        return Decision.FAILED
    if (known := headers.get("if-none-match")) is not None:
        return Decision.NOT_MODIFIED if matches(known, file.etag, weakly=True) else Decision.PROCEED
    if (since := _date(headers.get("if-modified-since"))) is not None and _changed(file) <= since:
        return Decision.NOT_MODIFIED
    return Decision.PROCEED


def range_of(headers: Mapping[str, str], file: FileInfo) -> tuple[int, int | None] | None:
    """The first byte and the one after the last that are asked for; None: the whole file.

    What is no range of bytes, or several at once, is answered with the whole file, as is one whose ``If-Range`` names
    another version. A range that begins beyond the end is returned as it is.
    """
    found = _RANGES.fullmatch(headers.get("range", "").strip())
    if found is None or found[1] == found[2] == "" or not _is_this_version(headers.get("if-range"), file):
        return None
    if not found[1]:
        length = _number(found[2])
        if length and not file.size:
            return None  # satisfiable, but no header can say so
        return (max(0, file.size - length), None) if length else (file.size, None)
    start = _number(found[1])
    if not found[2]:
        return start, None
    last = _number(found[2])
    return None if last < start else (start, last + 1)


def matches(header: str, etag: str, *, weakly: bool) -> bool:
    """Whether one of the entity tags of a header is this one (RFC 9110, 8.8.3.2); ``*`` is any."""
    if header.strip() == "*":
        return True
    position = 0
    while (found := _TAG.match(header, position)) is not None:
        if found[2] == etag and (weakly or found[1] is None):
            return True
        position = found.end() + 1  # the comma
    return False


def http_date(moment: datetime) -> str:
    """A time in the form of HTTP (RFC 9110, 5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _is_this_version(condition: str | None, file: FileInfo) -> bool:
    if condition is None:
        return True
    if '"' in condition:
        return condition.strip() != "*" and matches(condition, file.etag, weakly=False)
    return _date(condition) == _changed(file)


def _changed(file: FileInfo) -> datetime:
    return file.modified_at.replace(microsecond=0)


def _date(text: str | None) -> datetime | None:
    """The time in a header; None if there is none, or what is there is no time."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _number(digits: str) -> int:
    return int(digits) if len(digits) < 19 else _HUGE
