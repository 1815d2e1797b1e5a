"""SQLAlchemy's dialect for psycopg, with what is promised beyond it: events would cost each statement as much again."""

import select
import time
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg

from bedplate.services.database.errors import ReadOnlySessionError, TransactionLostError
from bedplate.services.database.postgres.connection import PatientConnection

__all__ = ["DRIVER", "Dialect"]

DRIVER: Final = "postgresql+bedplate"
"""What a URL calls it."""

_FRESH: Final = 1.0
"""Seconds after its last use for which a connection that the server has not closed is taken for good."""


class Dialect(PGDialectAsync_psycopg):
    """Of connections that :class:`PatientConnection` makes."""

    supports_statement_cache = True

    @classmethod
    def get_async_dialect_cls(cls, url: sa.URL) -> type["Dialect"]:
        """This one."""
        return cls

    def do_begin(self, dbapi_connection: Any) -> None:
        """Refuse what would be committed on its own, after a rollback or a commit by hand."""
        if dbapi_connection.driver_connection.begun:
            raise ReadOnlySessionError(
                "a write outside a transaction: after a rollback by hand nothing can be written",
                fix="write inside: async with database.transaction()",
            )
        super().do_begin(dbapi_connection)  # type: ignore[no-untyped-call]  # not annotated

    def do_commit(self, dbapi_connection: Any) -> None:
        """Refuse after an error that was caught: the server answers by rolling back, and says so to nobody."""
        status = dbapi_connection.driver_connection.pgconn.transaction_status
        if status == psycopg.pq.TransactionStatus.INERROR:
            raise TransactionLostError(
                "nothing was stored: an error inside the transaction was caught, and had rolled it back",
                fix="put what may fail into a transaction() of its own inside this one, which is a savepoint",
            )
        super().do_commit(dbapi_connection)  # type: ignore[no-untyped-call]  # not annotated

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether a connection that was idle is good: asked of the server, unless it has just been used.

        A server that closes a connection, or whose machine is started again, says so to it. That is seen without
        asking; what cannot be seen is a network that has lost it, for which it takes longer than it was idle.
        """
        driver: PatientConnection = dbapi_connection.driver_connection
        if time.monotonic() - driver.used_at < _FRESH and not _has_something_to_say(driver):
            return True
        return bool(super().do_ping(dbapi_connection))  # type: ignore[no-untyped-call]  # not annotated


def _has_something_to_say(driver: PatientConnection) -> bool:
    """Whether an answer waits that nobody has asked for, or the end."""
    look = select.poll()
    look.register(driver.pgconn.socket, select.POLLIN)
    return bool(look.poll(0))


registry.register(DRIVER.replace("+", "."), __name__, Dialect.__name__)
