"""SQLite's errors, as those of the database service."""

import shutil
import sqlite3

from sqlalchemy.exc import DBAPIError

from bedplate.services.database.errors import (
    DatabaseCorruptError,
    DatabaseFullError,
    DatabaseIOError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseUnreachableError,
    ReadOnlySessionError,
    SchemaError,
    TransactionLostError,
)
from bedplate.services.database.models import PREFIX
from bedplate.services.database.sqlite.connection import LOST_TRANSACTION, OUTSIDE_TRANSACTION
from bedplate.services.database.sqlite.location import Location
from bedplate.services.database.url import SETTING
from bedplate.services.errors import BedplateError, TooLargeError
from bedplate.services.schema import ServiceType

__all__ = ["explain"]

_TEMPORARY = "try again; if it lasts, check the disk and the system log"
_SMALL_REST = 1 << 20


def explain(error: BaseException, location: Location, busy_timeout: float) -> BedplateError | None:
    """The typed error for a state of the database or of the disk; None for any other error, such as a constraint's.

    See https://www.sqlite.org/rescode.html.
    """
    typed = _explain(error, location, busy_timeout)
    while isinstance(typed, TransactionLostError) and (earlier := error.__context__) is not None:
        # What could not be rolled back any more is told by what went wrong before it.
        typed, error = _explain(earlier, location, busy_timeout) or typed, earlier
    return typed


def _explain(error: BaseException, location: Location, busy_timeout: float) -> BedplateError | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, sqlite3.Error):
        return None
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return _of_driver(str(cause))
    if code & 0xFF == sqlite3.SQLITE_ERROR:
        return _missing_table(str(cause))
    return _of_code(code & 0xFF, getattr(cause, "sqlite_errorname", str(code)), location, busy_timeout)


def _of_driver(text: str) -> BedplateError | None:
    if text == LOST_TRANSACTION:
        return TransactionLostError(
            "the transaction was rolled back after an error in it",
            why="SQLite ends the whole transaction when the disk is full or a statement is interrupted",
            fix="let such errors leave the transaction, and try again",
        )
    if text == OUTSIDE_TRANSACTION:
        return ReadOnlySessionError(
            "a write outside a transaction: a session only reads, and after a rollback by hand nothing can be written",
            fix="write inside: async with database.transaction()",
        )
    if text.lower() in {"connection closed", "no active connection"}:
        return DatabaseUnreachableError("the connection was closed", fix="try again; the service may be stopping")
    return None


def _missing_table(text: str) -> BedplateError | None:
    if not text.startswith(f"no such table: {PREFIX}"):
        return None
    return SchemaError("a table is missing", why=text, fix="run: bedplate db upgrade")


def _of_code(code: int, name: str, location: Location, busy_timeout: float) -> BedplateError | None:
    why = f"{location.name}: {name}"
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseLockedError(
                f"another process kept the database locked for more than {busy_timeout:g} s",
                why=why,
                fix="end its transaction (a backup, an open shell), or raise BEDPLATE_DATABASE__BUSY_TIMEOUT",
            )
        case sqlite3.SQLITE_FULL:
            return _full(location, name)
        case sqlite3.SQLITE_IOERR:
            if _little_space(location):
                return _full(location, name)
            return DatabaseIOError("the disk failed while reading or writing", why=why, fix=_TEMPORARY)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DatabaseCorruptError(
                "the file is not a database, or is damaged",
                why=why,
                fix=f"restore it from a backup, move it away to begin anew, or point {SETTING} to another file",
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return DatabaseReadOnlyError(
                "the database cannot be written",
                why=why,
                fix="give the user of this process the right to write the file and its folder",
            )
        case sqlite3.SQLITE_CANTOPEN:
            return _cannot_open(location, name)
        case sqlite3.SQLITE_TOOBIG:
            return TooLargeError("a value is larger than the database can hold", service=ServiceType.DATABASE)
    return None


def _full(location: Location, name: str) -> DatabaseFullError:
    folder = location.path.parent if location.path else "memory"
    return DatabaseFullError(
        "no space is left for the database",
        why=f"{location.name}: {name}",
        fix=f"free space in {folder}, or point {SETTING} to another disk",
    )


def _little_space(location: Location) -> bool:
    # SQLite reports a full disk as an I/O error where it grows its shared memory.
    try:
        return location.path is not None and shutil.disk_usage(location.path.parent).free < _SMALL_REST
    except OSError:
        return False


def _cannot_open(location: Location, name: str) -> DatabaseUnreachableError:
    path = location.path
    if path is None:
        reason, fix = name, _TEMPORARY
    elif path.is_dir():
        reason, fix = f"{path} is a folder", f"name a file in it: point {SETTING} to {path / 'bedplate.db'}"
    elif not path.parent.is_dir():
        reason, fix = f"the folder {path.parent} does not exist", f"make it, or point {SETTING} to another file"
    else:
        reason = f"{path}: {name}"
        fix = f"give the user of this process the right to read and write {path} and its folder"
    return DatabaseUnreachableError("the database file cannot be opened", why=reason, fix=fix)
