"""SQLite: one writer at a time, many readers beside it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from bedplate.services.database.backend import Backup, leased
from bedplate.services.database.errors import DatabaseUnreachableError
from bedplate.services.database.json_columns import dump_json, load_json
from bedplate.services.database.sqlite.alteration import Alteration
from bedplate.services.database.sqlite.backup import Copying
from bedplate.services.database.sqlite.connection import SQLiteConnection
from bedplate.services.database.sqlite.core import core_engine
from bedplate.services.database.sqlite.errors import explain
from bedplate.services.database.sqlite.location import Location
from bedplate.services.database.sqlite.pool import Pool, PoolLease
from bedplate.services.database.turnstile import Turnstile
from bedplate.services.database.url import database_url
from bedplate.services.errors import BedplateError
from bedplate.services.settings import SettingsService
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["SQLiteBackend"]

T = TypeVar("T")


class _Pools(NamedTuple):
    readers: Pool
    writers: Pool


class SQLiteBackend:
    """Connections to a SQLite file or to a database in memory.

    A file has one connection for writing and up to ``pool_size`` for reading, which see the last commit and never wait
    for a writer (WAL). A database in memory has a single connection, and so lets one task in at a time.
    """

    name = "sqlite"

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings
        self._values = settings.values.database
        self._location: Location | None = None
        self._engine: AsyncEngine | None = None
        self._core: sa.Engine | None = None
        self._pools: _Pools | None = None

    @property
    def location(self) -> Location:
        """Where the database is.

        Raises:
            DatabaseURLError: The URL, or a setting beside it, is wrong.
        """
        if self._location is None:
            self._location = Location.of(database_url(self._settings))
        return self._location

    @property
    def is_kept(self) -> bool:
        """Whether it is in a file."""
        return self.location.path is not None

    def exists(self) -> bool:
        """Whether the file is there; one in memory never is."""
        return self.location.path is not None and self.location.path.exists()

    def size(self) -> int | None:
        """Bytes of the file and of its log; None for a database in memory."""
        path = self.location.path
        files = (path, path.with_name(f"{path.name}-wal")) if path else ()
        return sum(file.stat().st_size for file in files if file.exists()) if files else None

    async def open(self) -> None:
        """Open the first connections, which makes the file where there is none."""
        location = self.location
        if self._values.url is None:
            self._settings.values.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._engine = create_async_engine(
            "sqlite+aiosqlite://",
            async_creator=self._connect,
            poolclass=StaticPool if location.path is None else NullPool,
            pool_reset_on_return=None,
            json_serializer=dump_json,
            json_deserializer=load_json,
            # A parameter may be the hash of a password.
            hide_parameters=True,
        )
        sa.event.listen(self._engine.sync_engine, "handle_error", _keep_after_cancellation)
        self._core = core_engine()
        self._pools = self._make_pools(self._engine, self._core)
        # Opening alone does not read the file, and beginning alone does not find out that it can only be read.
        async with leased(self.read()) as connection:
            await connection.exec_driver_sql("PRAGMA schema_version")
        async with leased(self.write()) as connection:
            await connection.exec_driver_sql("PRAGMA user_version = 0")

    @property
    def engines(self) -> list[sa.Engine]:
        """What its connections come from, while it is open."""
        return [self._engine.sync_engine, self._core] if self._engine and self._core else []

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called, and ``close`` not since."""
        return self._engine is not None

    async def close(self) -> None:
        """Close every connection that is not in use; the others close when they are given back."""
        for pool in self._pools or ():
            await pool.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def read(self) -> PoolLease:
        """A connection that only reads; each statement sees the last commit before it."""
        return await self._opened().readers.lease()

    async def write(self, *, inside_read: bool = False) -> PoolLease:
        """The connection for writing, in a transaction begun with ``BEGIN IMMEDIATE``."""
        lease = await self._turn_to_write(inside_read=inside_read)
        try:
            await lease.driver.begin()
            await lease.connection.begin()
        except BaseException:
            await lease.end()
            raise
        return lease

    async def look(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work`` in the thread of a connection that only reads."""
        lease = await self.read()
        try:
            return await lease.core.read(work)
        finally:
            await lease.end()

    async def transact(
        self, work: Callable[[sa.Connection], T], *, granted: Callable[[], None], inside_read: bool = False
    ) -> T:
        """Call ``work`` in the thread of the connection for writing, in a transaction."""
        lease = await self._turn_to_write(inside_read=inside_read)
        try:
            granted()
            return await lease.core.write(work)
        finally:
            await lease.end()

    async def alter(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` in a thread, holding SQLite's own write lock; in memory it runs on the event loop."""
        if self.location.path is None:
            async with leased(self.write()) as connection:
                result = await connection.run_sync(work)
                await uninterrupted(connection.commit())
                return result
        alteration = Alteration(self.location, self._values.busy_timeout)
        return await _in_thread("migration", alteration.interrupt, lambda: alteration.run(work))

    async def back_up(self, target: Path) -> Backup:
        """Copy the database by SQLite's online backup, in a thread."""
        if self.location.path is None or not self.exists():
            raise DatabaseUnreachableError(
                "there is nothing to back up",
                why=f"{self.location.name} is not there, or does not outlive the process",
                fix="start the service once, which makes it",
            )
        copying = Copying(self.location)
        return await _in_thread("backup", copying.interrupt, lambda: copying.backup(target))

    async def check_backup(self, path: Path) -> Backup:
        """Check the file in a thread."""
        copying = Copying(self.location)
        return await _in_thread("backup", copying.interrupt, lambda: copying.check(path))

    async def restore(self, source: Path, now: datetime) -> tuple[Backup, Path | None]:
        """Put a copy of the file in the place of the database, in a thread."""
        copying = Copying(self.location)
        return await _in_thread("restore", copying.interrupt, lambda: copying.restore(source, now))

    def explain(self, error: BaseException) -> BedplateError | None:
        """The typed error that says the same as SQLite's."""
        return explain(error, self.location, self._values.busy_timeout)

    async def _turn_to_write(self, *, inside_read: bool) -> PoolLease:
        readers, writers = self._opened()
        # In memory, a task that reads has the only turn already.
        return await writers.lease(turn=not (inside_read and writers.turnstile is readers.turnstile))

    def _opened(self) -> _Pools:
        if self._pools is None:
            raise DatabaseUnreachableError("the database is not open", fix="start the service first")
        return self._pools

    def _make_pools(self, engine: AsyncEngine, core: sa.Engine) -> _Pools:
        timeout, busy_timeout = self._values.pool_timeout, self._values.busy_timeout
        writing = Turnstile(1, timeout, what="write transaction")
        reading = writing
        if self.location.path is not None:
            reading = Turnstile(
                self._values.pool_size, timeout, what="read connection", setting="BEDPLATE_DATABASE__POOL_SIZE"
            )
        return _Pools(
            Pool(reading, engine.connect, core, busy_timeout), Pool(writing, engine.connect, core, busy_timeout)
        )

    async def _connect(self) -> SQLiteConnection:
        connection = SQLiteConnection(self.location.connect, busy_timeout=self._values.busy_timeout)
        await connection.open()
        return connection


async def _in_thread(name: str, interrupt: Callable[[], None], work: Callable[[], T]) -> T:
    """Call ``work`` in a thread; cancelled, interrupt it, and go on when it has ended."""
    with ThreadPoolExecutor(1, thread_name_prefix=f"bedplate-{name}") as thread:
        done = asyncio.get_running_loop().run_in_executor(thread, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            interrupt()
            await uninterrupted(_ended(done))
            raise


async def _ended(future: asyncio.Future[Any]) -> None:
    await asyncio.wait({future})


def _keep_after_cancellation(context: ExceptionContext) -> None:
    # SQLAlchemy gives up a connection whose statement is cancelled; of this driver's, the statement has ended cleanly.
    if isinstance(context.original_exception, asyncio.CancelledError) and context.connection is not None:
        driver = context.connection.connection.driver_connection
        if isinstance(driver, SQLiteConnection) and not driver.abandoned:
            context.is_disconnect = False
