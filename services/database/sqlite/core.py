"""Statements without a session, in the thread of the connection: one trip there for any number of them."""

import contextvars
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from bedplate.services.database.json_columns import dump_json, load_json
from bedplate.services.database.sqlite.connection import (
    LOST_TRANSACTION,
    OUTSIDE_TRANSACTION,
    SQLiteConnection,
    is_busy,
)
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["Core", "core_engine"]

T = TypeVar("T")

_thread = threading.local()


def core_engine() -> sa.Engine:
    """What makes SQLAlchemy's connections over those of the driver, each in the thread of that one."""
    return sa.create_engine(
        "sqlite://",
        creator=lambda: _thread.connection,
        poolclass=NullPool,
        pool_reset_on_return=None,
        json_serializer=dump_json,
        json_deserializer=load_json,
        # A parameter may be the hash of a password.
        hide_parameters=True,
    )


class Core:
    """A connection of the driver, as work that blocks sees it.

    Args:
        driver: The connection.
        engine: Of :func:`core_engine`.
    """

    def __init__(self, driver: SQLiteConnection, engine: sa.Engine) -> None:
        self._driver = driver
        self._engine = engine
        self._made: sa.Connection | None = None

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work`` outside a transaction."""
        connection = await self._connection()
        return await self._driver.patiently(contextvars.copy_context().run, self._read, connection, work)

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work`` in a transaction, and commit it; where that fails because of another process, all again.

        A cancellation interrupts it; it has happened wholly or not at all when that is raised.
        """
        connection = await self._connection()
        return await self._driver.patiently(contextvars.copy_context().run, self._write, connection, work)

    def _read(self, connection: sa.Connection, work: Callable[[sa.Connection], T]) -> T:
        try:
            return work(connection)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
                raise sqlite3.OperationalError(OUTSIDE_TRANSACTION) from error
            raise _worth_another_try(error) from None
        finally:
            connection.rollback()

    def _write(self, connection: sa.Connection, work: Callable[[sa.Connection], T]) -> T:
        try:
            with self._driver.in_write_lock(), connection.begin():
                result = work(connection)
                self._require_transaction()
                return result
        except OperationalError as error:
            raise _worth_another_try(error) from None

    async def _connection(self) -> sa.Connection:
        if self._made is not None:
            return self._made
        try:
            # SQLAlchemy would close what it is interrupted with.
            return await uninterrupted(self._driver.patiently(self._make))
        except SQLAlchemyError:
            self._driver.abandoned = True
            raise

    def _make(self) -> sa.Connection:
        _thread.connection = self._driver.raw
        made = self._engine.connect()
        # Closing it is left to the driver.
        made.detach()
        sa.event.listen(made, "before_cursor_execute", self._require_transaction)
        self._made = made
        return made

    # Listens too, and is told of statements then.
    def _require_transaction(self, *_: Any) -> None:
        # After some errors (disk full, interrupted) SQLite is back in autocommit: what follows would be stored alone.
        if self._driver.lost_transaction:
            raise sqlite3.OperationalError(LOST_TRANSACTION)


def _worth_another_try(error: OperationalError) -> Exception:
    """The driver's own error if another process is in the way, which is what it waits for."""
    return error.orig if isinstance(error.orig, sqlite3.OperationalError) and is_busy(error.orig) else error
