"""Changing tables: blocking work in one transaction that excludes every other writer, of all processes."""

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from bedplate.services.database.errors import SchemaError
from bedplate.services.database.models import PREFIX
from bedplate.services.database.sqlite.connection import is_busy
from bedplate.services.database.sqlite.location import Location

__all__ = ["Alteration"]

T = TypeVar("T")


class Alteration:
    """One piece of such work; :meth:`run` belongs into a thread, :meth:`interrupt` may come from any other.

    Args:
        location: The database.
        busy_timeout: Seconds to wait until other writers, and others that migrate, are done.
    """

    def __init__(self, location: Location, busy_timeout: float) -> None:
        self._location = location
        self._busy_timeout = busy_timeout
        self._interrupted = threading.Event()
        self._connection: sqlite3.Connection | None = None

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work`` with a connection in a transaction; commit what it did, or roll all of it back.

        Foreign keys are not enforced meanwhile: SQLite alters a table by dropping it and making it anew, which would
        delete the rows that refer to it.
        """
        engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=NullPool, hide_parameters=True)
        try:
            with engine.connect() as connection:
                self._begin()
                with connection.begin():
                    result = work(connection)
                    _check_references(connection)
                    return result
        finally:
            self._connection = None
            engine.dispose()

    def interrupt(self) -> None:
        """End the statement that runs, or the waiting: ``run`` then raises, with everything rolled back."""
        self._interrupted.set()
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _connect(self) -> sqlite3.Connection:
        self._connection = self._location.connect()
        self._connection.execute("PRAGMA foreign_keys=OFF")
        self._connection.execute("PRAGMA query_only=OFF")
        return self._connection

    def _begin(self) -> None:
        deadline = time.monotonic() + self._busy_timeout
        assert self._connection is not None  # noqa: S101 - just made by the engine
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not is_busy(error) or self._interrupted.is_set() or time.monotonic() >= deadline:
                    raise


def _check_references(connection: sa.Connection) -> None:
    for table in sa.inspect(connection).get_table_names():
        if not table.startswith(PREFIX):
            continue
        broken = connection.exec_driver_sql(f'PRAGMA foreign_key_check("{table}")').first()
        if broken is not None:
            raise SchemaError(
                "a migration was rolled back: it would have left rows that refer to missing ones",
                why=f"in {table}, to {broken[2]}",
                fix="delete such rows, or restore those that they refer to, and try again",
            )
