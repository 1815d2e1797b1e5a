"""Connections kept open for the next task."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import cast

from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bedplate.services.database.errors import DatabaseUnreachableError
from bedplate.services.database.sqlite.connection import SQLiteConnection, is_busy
from bedplate.services.database.turnstile import Turnstile
from bedplate.services.database.uninterrupted import uninterrupted
from bedplate.services.logs import get_logger

__all__ = ["Pool", "PooledConnection"]

_log = get_logger("bedplate.database")


class PooledConnection:
    """A connection as SQLAlchemy sees it, and the driver's under it."""

    __slots__ = ("alchemy", "driver")

    def __init__(self, alchemy: AsyncConnection, driver: SQLiteConnection) -> None:
        self.alchemy = alchemy
        self.driver = driver


class Pool:
    """Lends connections, opened when they are first needed, to as many tasks as the turnstile lets in.

    A connection comes back whole whatever happens to the task: what it left open is rolled back, and one that is no
    good any more is closed and replaced by the next that is asked for.

    Args:
        turnstile: How many connections there may be, and how long one waits.
        connect: Makes a connection that is not started yet.
        busy_timeout: Seconds to wait for another process's lock when a connection is opened.
    """

    def __init__(self, turnstile: Turnstile, connect: Callable[[], AsyncConnection], busy_timeout: float) -> None:
        self.turnstile = turnstile
        self._connect = connect
        self._busy_timeout = busy_timeout
        self._idle: list[PooledConnection] = []
        self._closed = False

    @asynccontextmanager
    async def borrow(self, *, turn: bool = True) -> AsyncIterator[PooledConnection]:
        """A connection for the length of the block.

        Args:
            turn: Whether to wait for one's turn; False for a task that has had it already.

        Raises:
            DatabaseBusyError: None became free in time.
            DatabaseUnreachableError: The pool is closed.
        """
        passage: AbstractAsyncContextManager[None] = self.turnstile.pass_through() if turn else nullcontext()
        async with passage:
            if self._closed:
                raise DatabaseUnreachableError("the database is closed", fix="start the service first")
            if not self._idle:
                await self._open_one()
            connection = self._idle.pop()
            try:
                yield connection
            finally:
                await self._take_back(connection)

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
        self._idle.append(PooledConnection(alchemy, cast(SQLiteConnection, raw.driver_connection)))

    async def _take_back(self, connection: PooledConnection) -> None:
        clean = not (connection.alchemy.in_transaction() or connection.driver.in_transaction)
        if clean and self._is_good(connection):
            self._idle.append(connection)
        else:
            await uninterrupted(self._restore(connection))

    def _is_good(self, connection: PooledConnection) -> bool:
        return not (self._closed or connection.alchemy.invalidated or connection.driver.abandoned)

    async def _restore(self, connection: PooledConnection) -> None:
        try:
            await connection.alchemy.rollback()
            # SQLAlchemy takes a commit that failed for the end of the transaction; SQLite may not.
            await connection.driver.rollback()
        except SQLAlchemyError as error:
            _log.warning("a connection was given up", cause=type(error).__name__)
            connection.driver.abandoned = True
        if self._is_good(connection):
            self._idle.append(connection)
        else:
            await _discard(connection)


async def _discard(connection: PooledConnection) -> None:
    try:
        await connection.alchemy.close()
    except SQLAlchemyError as error:
        _log.warning("a connection did not close cleanly", cause=type(error).__name__)
