"""Cursors: where a page of rows ordered by time and id, or by score and id, ended, as an opaque text."""

import base64
import binascii
import math
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bedplate.services.database.models import UTCDateTime
from bedplate.services.errors import InvalidInputError

__all__ = ["beyond", "decode_cursor", "decode_score_cursor", "encode_cursor", "encode_score_cursor"]


def encode_cursor(moment: datetime, row_id: uuid.UUID) -> str:
    """The cursor of the row with this time and id."""
    return _encode(moment.astimezone(UTC).isoformat(), row_id)


def encode_score_cursor(score: float, row_id: uuid.UUID) -> str:
    """The cursor of the row with this score and id."""
    return _encode(score.hex(), row_id)


def decode_cursor(cursor: str, *, service: str) -> tuple[datetime, uuid.UUID]:
    """The time and id of a cursor.

    Args:
        cursor: What :func:`encode_cursor` gave.
        service: The service that was given it, for the error.

    Raises:
        InvalidInputError: It is no such cursor.
    """
    try:
        moment, row_id = _decode(cursor)
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise ValueError("no zone")
        # A time near the ends of the calendar may have no equal in UTC.
        return at.astimezone(UTC), row_id
    except (ValueError, OverflowError) as error:
        raise _foreign(service) from error


def decode_score_cursor(cursor: str, *, service: str) -> tuple[float, uuid.UUID]:
    """The score and id of a cursor.

    Args:
        cursor: What :func:`encode_score_cursor` gave.
        service: The service that was given it, for the error.

    Raises:
        InvalidInputError: It is no such cursor.
    """
    try:
        text, row_id = _decode(cursor)
        score = float.fromhex(text)
        if not math.isfinite(score):
            raise ValueError("no score")
        return score, row_id
    except (ValueError, OverflowError) as error:
        raise _foreign(service) from error


def beyond(time: Any, row_id: Any, place: tuple[datetime, uuid.UUID], *, newest_first: bool) -> sa.ColumnElement[bool]:
    """The condition for rows behind a place, in the order of these two columns."""
    key = sa.tuple_(time, row_id)
    there = sa.tuple_(sa.literal(place[0], UTCDateTime), sa.literal(place[1], sa.Uuid))
    return key < there if newest_first else key > there


def _encode(place: str, row_id: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(f"{place}/{row_id}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[str, uuid.UUID]:
    try:
        place, _, row_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("/")
    except binascii.Error as error:  # a ValueError itself, but named so here
        raise ValueError("no base64") from error
    return place, uuid.UUID(row_id)


def _foreign(service: str) -> InvalidInputError:
    return InvalidInputError(
        "the cursor was not made here", service=service, fix="use the next_cursor of the page before, unchanged"
    )
