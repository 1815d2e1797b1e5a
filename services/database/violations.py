"""Constraint errors of the database, as typed errors, for the repositories that want them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import IntegrityError

from bedplate.services.database.errors import ForeignKeyViolationError, UniqueViolationError
from bedplate.services.database.models import metadata

__all__ = ["typed_violation", "violations"]

_UNIQUE = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"}
_FOREIGN_KEY = {"SQLITE_CONSTRAINT_FOREIGNKEY", "SQLITE_CONSTRAINT_TRIGGER"}
_KEY = re.compile(r"Key \(([^)]*)\)=")
_FAILED_COLUMN = re.compile(r"([^\s.,]+)\.([^\s.,]+)")
_WRITTEN_TABLE = re.compile(r'^\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE|DELETE\s+FROM)\s+"?([\w.]+)', re.IGNORECASE)


@contextmanager
def violations() -> Iterator[None]:
    """Turn a constraint error inside the block into a typed one; others pass unchanged.

    Flush inside the block, since rows that were only added are written later::

        with violations():
            session.add(row)
            await session.flush()

    Raises:
        UniqueViolationError: A row with these values is there already.
        ForeignKeyViolationError: The row refers to one that is missing, or is itself referred to.
    """
    try:
        yield
    except IntegrityError as error:
        typed = typed_violation(error)
        if typed is None:
            raise
        raise typed from error


def typed_violation(error: IntegrityError) -> UniqueViolationError | ForeignKeyViolationError | None:
    """The typed error that says the same, or None for another kind of constraint (not null, check)."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is None:
        return _of_postgres(error)
    if name in _UNIQUE:
        # "UNIQUE constraint failed: table.first, table.second"; of an index over an expression, its name alone.
        failed = _FAILED_COLUMN.findall(str(error.orig).partition(":")[2])
        return UniqueViolationError(failed[0][0] if failed else None, tuple(column for _, column in failed))
    if name in _FOREIGN_KEY:
        written = _WRITTEN_TABLE.match(error.statement or "")
        table = written.group(1) if written else None
        return ForeignKeyViolationError(table, _references(table, error.statement or ""))
    return None


def _references(table: str | None, statement: str) -> tuple[str, ...]:
    """The columns of a table that refer to rows; none for a row that was deleted while others refer to it."""
    known = metadata.tables.get(table or "")
    if known is None or statement.lstrip()[:6].upper() == "DELETE":
        return ()
    return tuple(column.name for column in known.columns if column.foreign_keys)


def _of_postgres(error: IntegrityError) -> UniqueViolationError | ForeignKeyViolationError | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    told: Any = getattr(error.orig, "diag", None)
    if state not in {"23505", "23503"}:
        return None
    # "Key (first, second)=(1, 2) already exists."; of the values nothing is said on.
    key = _KEY.search(told.message_detail or "")
    columns = tuple(key[1].split(", ")) if key else ()
    if state == "23505":
        return UniqueViolationError(told.table_name, columns)
    missing = "is not present" in told.message_detail if key else False
    return ForeignKeyViolationError(told.table_name, columns if missing else ())
