"""The aiosqlite connection that the SQLite backend gives to SQLAlchemy.

It differs from the stock one in four things: a statement is one trip to the connection's thread, not four; waiting for
another process's lock can be cancelled; a statement whose task is cancelled has ended when the task goes on, so the
connection stays good; and nothing is written outside a transaction, not even after SQLite itself rolled one back.

aiosqlite's private names, and those that SQLAlchemy's own adapter uses of it, are touched in this file alone.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import aiosqlite

__all__ = ["LOST_TRANSACTION", "OUTSIDE_TRANSACTION", "SQLiteConnection", "is_busy"]

P = ParamSpec("P")
T = TypeVar("T")

LOST_TRANSACTION = "the transaction was rolled back by SQLite"
OUTSIDE_TRANSACTION = "a write outside a transaction"

_FIRST_ROWS = 256
_WRITE_GRACE = 1.0
_ABANDON_AFTER = 5.0
# The thread has done its last work by then, and ends within microseconds.
_JOIN = 1.0


def is_busy(error: BaseException | None) -> bool:
    """Whether another connection holds the lock."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY


class SQLiteConnection(aiosqlite.Connection):
    """A connection in a thread of its own; used by one task at a time.

    Args:
        connector: Opens the connection, with ``query_only`` on; runs in the thread.
        busy_timeout: Seconds to wait for another process's lock.

    Attributes:
        abandoned: Whether a statement could not be ended in time after its task was cancelled; it is no good then.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection], *, busy_timeout: float) -> None:
        super().__init__(connector, iter_chunk_size=_FIRST_ROWS)
        # Like SQLAlchemy does for its own: a process that ends without stopping the service must not hang.
        self._thread.daemon = True
        self._busy_timeout = busy_timeout
        self._begun = False
        self._locked = False
        self._stopped: asyncio.Future[Any] | None = None
        self.abandoned = False

    async def begin(self) -> None:
        """Take the write lock, waiting for another process to give it back.

        Raises:
            sqlite3.OperationalError: It did not within the busy timeout.
        """
        await self.patiently(self._begin)
        self._begun = True

    def _begin(self) -> None:
        self._conn.execute("PRAGMA query_only=OFF")
        try:
            self._conn.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self._conn.execute("PRAGMA query_only=ON")
            raise

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection itself; for work in the thread."""
        return self._conn

    @contextmanager
    def in_write_lock(self) -> Iterator[sqlite3.Connection]:
        """A transaction for the length of a block in the thread, which commits it; what is open then is rolled back.

        Raises:
            sqlite3.OperationalError: Another process has the lock now.
        """
        self._begin()
        self._locked = True
        try:
            yield self._conn
        finally:
            self._locked = False
            if self._conn.in_transaction:
                self._conn.rollback()
            self._conn.execute("PRAGMA query_only=ON")

    @property
    def lost_transaction(self) -> bool:
        """Whether SQLite has rolled back the transaction of a block that goes on."""
        return self._locked and not self._conn.in_transaction

    async def commit(self) -> None:
        """Commit the open transaction, if there is one.

        Raises:
            sqlite3.OperationalError: SQLite has rolled it back before, or cannot commit it.
        """
        self._require_transaction()
        if self.in_transaction:
            await self.patiently(self._end, self._conn.commit)
        self._begun = False

    async def rollback(self) -> None:
        """Roll back the open transaction, if there is one."""
        begun, self._begun = self._begun, False
        if self._running and (begun or self.in_transaction):
            await self._execute(self._end, self._conn.rollback)

    def _end(self, end: Callable[[], None]) -> None:
        end()
        self._conn.execute("PRAGMA query_only=ON")

    async def open(self) -> None:
        """Open the connection.

        Raises:
            sqlite3.Error: It cannot be opened; the thread has ended then.
        """
        try:
            await self
        except BaseException:
            if self._stopped is not None:
                await self._stopped
                self._thread.join(_JOIN)
            raise

    def stop(self) -> asyncio.Future[Any] | None:
        """Close the connection and end the thread, without waiting for either."""
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped

    async def close(self) -> None:
        """Close the connection; an abandoned one closes by itself, when its statement ends."""
        if self.abandoned:
            self.stop()
        else:
            await super().close()
            self._thread.join(_JOIN)

    # aiosqlite wraps its method in a type that is both awaitable and a context manager; SQLAlchemy needs the latter.
    def cursor(self) -> aiosqlite.Cursor:  # type: ignore[override]
        """A cursor, made without a trip to the thread."""
        return _Cursor(self, self._conn.cursor())

    async def patiently(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in the thread, again while another process holds the lock, up to the busy timeout."""
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                return await self._execute(function, *args, **kwargs)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that executes a statement."""
        if self._begun:
            self._require_transaction()
            return await self._execute(function, *args, **kwargs)
        try:
            return await self.patiently(function, *args, **kwargs)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
                raise sqlite3.OperationalError(OUTSIDE_TRANSACTION) from error
            raise

    def _require_transaction(self) -> None:
        # After some errors (disk full, interrupted) SQLite is back in autocommit: what follows would be stored alone.
        if self._begun and not self.in_transaction:
            raise sqlite3.OperationalError(LOST_TRANSACTION)

    async def _execute(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._running or self._connection is None:
            raise sqlite3.OperationalError("no active connection")
        ended: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # aiosqlite logs what it calls: of a partial it would show the arguments, which may be secret.
        self._tx.put_nowait((ended, lambda: fn(*args, **kwargs)))
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            await self._wait_after_cancellation(ended)
            raise

    async def _wait_after_cancellation(self, ended: asyncio.Future[T]) -> None:
        ended.add_done_callback(_looked_at)
        # Interrupting a write rolls the whole transaction back, and the caller may want to go on with it: time first.
        if await _ends(ended, _WRITE_GRACE if self._begun or self._locked else 0):
            return
        self._conn.interrupt()
        if not await _ends(ended, _ABANDON_AFTER):
            self.abandoned = True


def _looked_at(ended: asyncio.Future[Any]) -> None:
    """Spare a statement that was interrupted the complaint that its error was never raised."""
    if not ended.cancelled():
        ended.exception()


async def _ends(future: asyncio.Future[Any], seconds: float) -> bool:
    """Whether the future is done within so many seconds; further cancellations do not cut the waiting short."""
    deadline = time.monotonic() + seconds
    while not future.done() and (left := deadline - time.monotonic()) > 0:
        try:
            await asyncio.wait({future}, timeout=left)
        except asyncio.CancelledError:
            continue
    return future.done()


class _Cursor(aiosqlite.Cursor):
    """Executes and fetches in one trip; more trips are made only for more than the first rows."""

    def __init__(self, connection: SQLiteConnection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._connection = connection
        self._first: list[Any] = []
        self._more = False

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "_Cursor":
        await self._connection.run(self._execute_and_fetch, sql, parameters or ())
        return self

    def _execute_and_fetch(self, sql: str, parameters: Any) -> None:
        self._cursor.execute(sql, parameters)
        if self._cursor.description:
            self._first = self._cursor.fetchmany(_FIRST_ROWS)
            self._more = len(self._first) == _FIRST_ROWS

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> "_Cursor":
        await self._connection.run(self._cursor.executemany, sql, parameters)
        return self

    async def fetchone(self) -> Any:
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = size or self.arraysize
        rows, self._first = self._first[:wanted], self._first[wanted:]
        if self._more and len(rows) < wanted:
            rest = await self._connection.run(self._cursor.fetchmany, wanted - len(rows))
            self._more = len(rest) == wanted - len(rows)
            rows += rest
        return rows

    async def fetchall(self) -> list[Any]:
        rows, self._first = self._first, []
        if self._more:
            rows += await self._connection.run(self._cursor.fetchall)
            self._more = False
        return rows

    async def close(self) -> None:
        if self._more:
            self._more = False
            await self._connection.run(self._cursor.close)
