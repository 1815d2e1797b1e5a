"""What every table shares: its own metadata, time-ordered ids, UTC times."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import sqlalchemy as sa
import uuid_utils.compat
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

__all__ = ["PREFIX", "Table", "UTCDateTime", "metadata", "new_id", "utc_now"]

PREFIX = "bedplate_"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The tables of Bedplate and no others: a host application's ``SQLModel.metadata`` is not touched."""


class Table(SQLModel, registry=registry(metadata=metadata)):
    """Base class of Bedplate's tables; a row shows its primary key and nothing else, since others may be secret."""

    metadata: ClassVar[sa.MetaData] = metadata
    # Rows are not validated: the schemas to do so with would only be built, at each start.
    model_config = {"defer_build": True}

    def __repr_args__(self) -> Sequence[tuple[str | None, Any]]:
        # From the instance's own dict: an attribute that is not loaded must not be loaded for a log line.
        return [(column.name, self.__dict__.get(column.name)) for column in sa.inspect(type(self)).primary_key]


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, stored without zone where the database has none.

    Raises:
        ValueError: A naive datetime is written.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive values; give the database UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime {value!r} cannot be stored; use utc_now()")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """Give back an aware value in UTC."""
        if value is None:
            return None
        aware: datetime = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC)


def new_id() -> uuid.UUID:
    """A time-ordered UUID (version 7, RFC 9562): good for rows, guessable in part, so never for secrets."""
    return uuid_utils.compat.uuid7()


def utc_now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)
