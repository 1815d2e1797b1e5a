"""PostgreSQL's errors, as those of the database service."""

import re
from collections.abc import Callable

import psycopg
from sqlalchemy.exc import DBAPIError

from bedplate.services.database.errors import (
    DatabaseBusyError,
    DatabaseCorruptError,
    DatabaseFullError,
    DatabaseIOError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseTimeoutError,
    DatabaseUnreachableError,
    DatabaseURLError,
    ReadOnlySessionError,
    SchemaError,
    TransactionLostError,
)
from bedplate.services.database.models import PREFIX
from bedplate.services.database.postgres.address import Address
from bedplate.services.database.url import SETTING
from bedplate.services.errors import BedplateError

__all__ = ["explain"]

_TABLE = re.compile(r'relation "(?:\w+\.)?(\w+)" does not exist')
_OF_THE_POOLER = re.compile(r"unsupported startup parameter|prepared statement .* (?:does not exist|already exists)")
_REFUSED = (
    (re.compile(r"password authentication failed|no password supplied"), "the server refuses the password of the role"),
    (re.compile(r'database "[^"]*" does not exist'), "the server has no such database"),
    (re.compile(r'role "[^"]*" does not exist'), "the server has no such role"),
    (re.compile(r"no pg_hba\.conf entry"), "the server does not let this machine or role in"),
    (re.compile(r"SSL|certificate", re.IGNORECASE), "the two sides do not agree about TLS"),
)
_FIX_URL = f"correct user, password, database, and sslmode in {SETTING}"
_LOCKED = (
    DatabaseLockedError,
    "another transaction kept the rows or the table locked for more than {lock} s",
    "end it (a backup, an open shell), or raise BEDPLATE_DATABASE__BUSY_TIMEOUT",
)
_SLOW = (
    DatabaseTimeoutError,
    "a statement took more than {statement} s, or was cancelled",
    "try again, or raise BEDPLATE_DATABASE__STATEMENT_TIMEOUT",
)
_LOST = (TransactionLostError, "the transaction was rolled back after an error in it", "let it end, and try again")
_CROWDED = (
    DatabaseBusyError,
    "the server has no connection or memory left",
    "lower BEDPLATE_DATABASE__POOL_SIZE of the replicas, or raise max_connections of the server",
)
_DAMAGED = (DatabaseCorruptError, "the database is damaged", "restore it from a backup")
_LEFT = (DatabaseUnreachableError, "the server stops, starts, or ended the connection", "try again")
_KEPT_OUT = (DatabaseURLError, "the server refuses the connection", _FIX_URL)
_STATES: dict[str, tuple[Callable[..., BedplateError], str, str]] = {
    "55P03": _LOCKED,
    "57014": _SLOW,
    "25P03": _SLOW,
    "25P02": _LOST,
    "40": _LOST,
    "53100": (DatabaseFullError, "no space is left for the database", "free space on the disk of the server"),
    "53": _CROWDED,
    "58030": (DatabaseIOError, "the disk of the server failed", "see the log of the server"),
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "42501": (DatabaseReadOnlyError, "the role may not do that", "grant it the right, or make it the owner"),
    "25006": (
        ReadOnlySessionError,
        "a write outside a transaction: a session only reads",
        "write inside: async with database.transaction()",
    ),
    "57P": _LEFT,
    "08": _LEFT,
    "28": _KEPT_OUT,
    "3D": _KEPT_OUT,
}
"""The errors by state, or by how the state begins: what is said, and what to do."""


def explain(error: BaseException, address: Address) -> BedplateError | None:
    """The typed error for a state of the server or of the connection; None for any other, such as a constraint's.

    See https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    if _OF_THE_POOLER.search(str(cause)):
        return DatabaseURLError(
            "a pooler in transaction mode stands before the server",
            why=f"{address.name}: {_first_line(cause)}",
            fix="set BEDPLATE_DATABASE__POOLER=transaction",
        )
    if cause.sqlstate is None:
        return _of_connection(cause, address)
    return _of_state(cause.sqlstate, cause, address)


def _of_connection(cause: psycopg.Error, address: Address) -> BedplateError | None:
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    text = str(cause)
    for pattern, what in _REFUSED:
        if pattern.search(text):
            return DatabaseURLError(what, why=f"{address.name}, set by {SETTING}", fix=_FIX_URL)
    return DatabaseUnreachableError(
        "the server does not answer, or the connection to it broke",
        why=f"{address.name}: {type(cause).__name__}",
        fix=f"see that it runs and can be reached from here, or correct {SETTING}",
    )


def _of_state(state: str, cause: psycopg.Error, address: Address) -> BedplateError | None:
    if state == "42P01":
        return _missing_table(cause)
    kind = _STATES.get(state) or _STATES.get(state[:3]) or _STATES.get(state[:2])
    if kind is None:
        return None
    error, what, fix = kind
    limits = {"lock": f"{address.lock_timeout:g}", "statement": f"{address.statement_timeout:g}"}
    return error(what.format_map(limits), why=f"{address.name}: {state}", fix=fix)


def _missing_table(cause: psycopg.Error) -> BedplateError | None:
    found = _TABLE.search(str(cause))
    if found is None or not found[1].startswith(PREFIX):
        return None
    return SchemaError("a table is missing", why=found[1], fix="run: bedplate db upgrade")


def _first_line(cause: psycopg.Error) -> str:
    return str(cause).partition("\n")[0][:200]
