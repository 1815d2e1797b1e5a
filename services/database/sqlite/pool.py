"""Connections kept open for the next task."""

import sqlite3
import time
from collections.abc import Callable
from typing import NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bedplate.services.database.errors import DatabaseUnreachableError
from bedplate.services.database.sqlite.connection import SQLiteConnection, is_busy
from bedplate.services.database.sqlite.core import Core
from bedplate.services.database.turnstile import Turnstile
from bedplate.services.logs import get_logger
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["Pool", "PoolLease"]

_log = get_logger("bedplate.database")


class PooledConnection(NamedTuple):
    """A connection as SQLAlchemy sees it, the driver's under it, and that one as work in its thread sees it."""

    alchemy: AsyncConnection
    driver: SQLiteConnection
    core: Core

    @property
    def in_transaction(self) -> bool:
        """Whether either of the two has begun something, or SQLAlchemy waits for the end of a failed commit."""
        return self.alchemy.get_transaction() is not None or self.driver.in_transaction


class PoolLease:
    """The use of a connection by one task, from :meth:`Pool.lease` to :meth:`end`."""

    __slots__ = ("_lent", "_pool", "_turn", "connection", "core", "driver")

    def __init__(self, pool: "Pool", lent: PooledConnection, *, turn: bool) -> None:
        self.connection, self.driver, self.core = self._lent = lent
        self._pool = pool
        self._turn = turn

    async def commit(self, last: Callable[[], None]) -> None:
        """See :class:`~bedplate.services.database.backend.Lease`."""
        await uninterrupted(self.connection.run_sync(_commit, last))

    async def end(self) -> None:
        """Give the connection back; what is still open in it is rolled back."""
        await self._pool.take_back(self._lent, turn=self._turn)


class Pool:
    """Lends connections, opened when they are first needed, to as many tasks as the turnstile lets in.

    A connection comes back whole whatever happens to the task: what it left open is rolled back, and one that is no
    good any more is closed and replaced by the next that is asked for.

    Args:
        turnstile: How many connections there may be, and how long one waits.
        connect: Makes a connection that is not started yet.
        core: Makes connections over the driver's.
        busy_timeout: Seconds to wait for another process's lock when a connection is opened.
    """

    def __init__(
        self, turnstile: Turnstile, connect: Callable[[], AsyncConnection], core: sa.Engine, busy_timeout: float
    ) -> None:
        self.turnstile = turnstile
        self._connect = connect
        self._core = core
        self._busy_timeout = busy_timeout
        self._idle: list[PooledConnection] = []
        self._closed = False

    async def lease(self, *, turn: bool = True) -> PoolLease:
        """A connection for the calling task, which must end the lease.

        Args:
            turn: Whether to wait for one's turn; False for a task that has it already, from a pool with the same
                turnstile.

        Raises:
            DatabaseBusyError: None became free in time.
            DatabaseUnreachableError: The pool is closed.
        """
        if turn:
            await self.turnstile.enter()
        try:
            if self._closed:
                raise DatabaseUnreachableError("the database is closed", fix="start the service first")
            if not self._idle:
                await self._open_one()
            return PoolLease(self, self._idle.pop(), turn=turn)
        except BaseException:
            if turn:
                self.turnstile.leave()
            raise

    async def take_back(self, connection: PooledConnection, *, turn: bool) -> None:
        """End a lease."""
        try:
            if self._is_good(connection) and not connection.in_transaction:
                self._idle.append(connection)
            else:
                await uninterrupted(self._restore(connection))
        finally:
            if turn:
                self.turnstile.leave()

    async def close(self) -> None:
        """Close the connections that nobody uses, and from now on every other when it is given back."""
        self._closed = True
        while self._idle:
            await uninterrupted(_discard(self._idle.pop()))

    async def _open_one(self) -> None:
        deadline = time.monotonic() + self._busy_timeout
        while not self._idle:
            try:
                await uninterrupted(self._add())
            except OperationalError as error:
                if not is_busy(error.orig) or time.monotonic() >= deadline:
                    raise

    async def _add(self) -> None:
        # Among the idle ones it is found again, even if the task that wants it is cancelled meanwhile.
        alchemy = await self._connect().start()
        raw = await alchemy.get_raw_connection()
        driver = cast(SQLiteConnection, raw.driver_connection)
        self._idle.append(PooledConnection(alchemy, driver, Core(driver, self._core)))

    def _is_good(self, connection: PooledConnection) -> bool:
        return not (self._closed or connection.alchemy.invalidated or connection.driver.abandoned)

    async def _restore(self, connection: PooledConnection) -> None:
        try:
            await connection.alchemy.rollback()
            # SQLAlchemy takes a commit that failed for the end of the transaction; SQLite may not.
            await connection.driver.rollback()
        except (SQLAlchemyError, sqlite3.Error) as error:
            _log.warning("a connection was given up", cause=type(error).__name__)
            connection.driver.abandoned = True
        if self._is_good(connection):
            self._idle.append(connection)
        else:
            await _discard(connection)


def _commit(connection: sa.Connection, last: Callable[[], None]) -> None:
    last()
    connection.commit()


async def _discard(connection: PooledConnection) -> None:
    try:
        await connection.alchemy.close()
    except SQLAlchemyError as error:
        _log.warning("a connection did not close cleanly", cause=type(error).__name__)
