"""Inserts that know what to do about a row that is there already, in the dialect of the database."""

from typing import TYPE_CHECKING, TypeAlias, Union

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["insert_or"]

_Insert: TypeAlias = "Union[postgresql.Insert, sqlite.Insert]"  # noqa: UP007 - of names that are not imported


def insert_or(dialect: sa.Dialect, table: sa.Table) -> "_Insert":
    """An insert with ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

    Imported when asked for: the dialect of a database that is not used costs every start 25 ms.
    """
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
