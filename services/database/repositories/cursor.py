"""Cursors: where a page of rows ordered by time and id ended, as an opaque text."""

import base64
import binascii
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bedplate.services.database.models import UTCDateTime
from bedplate.services.errors import InvalidInputError

__all__ = ["beyond", "decode_cursor", "encode_cursor"]


def encode_cursor(moment: datetime, row_id: uuid.UUID) -> str:
    """The cursor of the row with this time and id."""
    return base64.urlsafe_b64encode(f"{moment.astimezone(UTC).isoformat()}/{row_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, service: str) -> tuple[datetime, uuid.UUID]:
    """The time and id of a cursor.

    Args:
        cursor: What :func:`encode_cursor` gave.
        service: The service that was given it, for the error.

    Raises:
        InvalidInputError: It is no cursor.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, row_id = text.partition("/")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None:
            raise ValueError("no zone")
        # A time near the ends of the calendar may have no equal in UTC.
        return at.astimezone(UTC), uuid.UUID(row_id)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidInputError(
            "the cursor was not made here", service=service, fix="use the next_cursor of the page before, unchanged"
        ) from error


def beyond(time: Any, row_id: Any, place: tuple[datetime, uuid.UUID], *, newest_first: bool) -> sa.ColumnElement[bool]:
    """The condition for rows behind a place, in the order of these two columns."""
    key = sa.tuple_(time, row_id)
    there = sa.tuple_(sa.literal(place[0], UTCDateTime), sa.literal(place[1], sa.Uuid))
    return key < there if newest_first else key > there
