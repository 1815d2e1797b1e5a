"""PostgreSQL by psycopg 3."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bedplate.services.database.backend import Backup, leased
from bedplate.services.database.errors import (
    BackupUnsupportedError,
    DatabaseReadOnlyError,
    DatabaseUnreachableError,
    DatabaseURLError,
)
from bedplate.services.database.json_columns import dump_json, load_json
from bedplate.services.database.postgres.address import Address
from bedplate.services.database.postgres.alteration import Alteration
from bedplate.services.database.postgres.connection import connect
from bedplate.services.database.postgres.dialect import DRIVER
from bedplate.services.database.postgres.errors import explain
from bedplate.services.database.postgres.lease import PostgresLease, driver_of
from bedplate.services.database.turnstile import Turnstile
from bedplate.services.database.url import SETTING, postgres_url
from bedplate.services.errors import BedplateError
from bedplate.services.settings import SettingsService
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["PostgresBackend"]

T = TypeVar("T")

_OLDEST = 14

_SETTLED = (
    psycopg.pq.TransactionStatus.IDLE,
    psycopg.pq.TransactionStatus.INTRANS,
    psycopg.pq.TransactionStatus.INERROR,
)


class _Pools(NamedTuple):
    engine: AsyncEngine
    readers: Turnstile
    writers: Turnstile


class PostgresBackend:
    """Connections to a PostgreSQL server, or to a pooler before it.

    Up to ``pool_size`` tasks read and ``write_pool_size`` write at once; the others wait in line. Reading happens in
    transactions that can only read, and that see every commit before each of their statements.
    """

    name = "postgres"
    is_kept = True

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings
        self._values = settings.values.database
        self._address: Address | None = None
        self._pools: _Pools | None = None

    @property
    def address(self) -> Address:
        """Where the database is.

        Raises:
            DatabaseURLError: The URL, or a setting beside it, is wrong.
        """
        if self._address is None:
            self._address = Address.of(postgres_url(self._settings), self._values)
        return self._address

    def size(self) -> int | None:
        """None: the server is to be asked."""
        return None

    async def back_up(self, target: Path) -> Backup:
        """Refused: PostgreSQL has tools of its own."""
        raise _own_tools("pg_dump --format=custom")

    async def check_backup(self, path: Path) -> Backup:
        """Refused: PostgreSQL has tools of its own."""
        raise _own_tools("pg_restore --list")

    async def restore(self, source: Path, now: datetime) -> tuple[Backup, Path | None]:
        """Refused: PostgreSQL has tools of its own."""
        raise _own_tools("pg_restore")

    def exists(self) -> bool:
        """Whether there is a database: a start never makes one."""
        return True

    async def open(self) -> None:
        """Open the first connection, and look whether the server will do."""
        values, address = self._values, self.address
        engine = create_async_engine(
            address.url.set(drivername=DRIVER),
            connect_args={
                **address.connect_args,
                "async_creator_fn": functools.partial(connect, address.statement_timeout),
            },
            pool_size=values.pool_size + values.write_pool_size,
            max_overflow=0,
            pool_timeout=values.pool_timeout,
            pool_pre_ping=True,
            pool_recycle=int(values.pool_recycle),
            json_serializer=dump_json,
            json_deserializer=load_json,
            # A parameter may be the hash of a password.
            hide_parameters=True,
        )
        # Several rows in one statement, not in a pipeline of statements: psycopg does not survive a cancellation at the
        # end of one, and raises an AssertionError in its place.
        engine.dialect.use_insertmanyvalues_wo_returning = True
        sa.event.listen(engine.sync_engine, "handle_error", _leave_out_values)
        sa.event.listen(engine.sync_engine, "handle_error", _keep_after_cancellation)
        timeout = values.pool_timeout
        self._pools = _Pools(
            engine,
            Turnstile(values.pool_size, timeout, what="read connection", setting="BEDPLATE_DATABASE__POOL_SIZE"),
            Turnstile(
                values.write_pool_size,
                timeout,
                what="write connection",
                setting="BEDPLATE_DATABASE__WRITE_POOL_SIZE",
            ),
        )
        async with leased(self.read()) as connection:
            await self._inspect(connection)

    @property
    def engines(self) -> list[sa.Engine]:
        """What its connections come from, while it is open."""
        return [self._pools.engine.sync_engine] if self._pools else []

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called, and ``close`` not since."""
        return self._pools is not None

    async def close(self) -> None:
        """Close every connection that is not in use; the others close when they are given back."""
        pools, self._pools = self._pools, None
        if pools is not None:
            await uninterrupted(pools.engine.dispose())

    async def read(self) -> PostgresLease:
        """A connection that only reads; each statement sees the last commit before it."""
        return (await self._lease(self._opened().readers, _nothing, read_only=True))[0]

    async def write(self, *, inside_read: bool = False) -> PostgresLease:
        """A connection in a transaction."""
        return (await self._lease(self._opened().writers, _nothing, read_only=False))[0]

    async def look(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work`` with a connection that only reads."""
        lease, result = await self._lease(self._opened().readers, work, read_only=True)
        await lease.end()
        return result

    async def transact(
        self, work: Callable[[sa.Connection], T], *, granted: Callable[[], None], inside_read: bool = False
    ) -> T:
        """Call ``work`` with a connection in a transaction, and commit it."""
        lease, result = await self._lease(self._opened().writers, work, read_only=False, granted=granted)
        try:
            await lease.commit(_nothing)
        finally:
            await lease.end()
        return result

    async def alter(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` in a thread, holding an advisory lock that all processes of Bedplate respect."""
        alteration = Alteration(self.address)
        with ThreadPoolExecutor(1, thread_name_prefix="bedplate-migration") as thread:
            done = asyncio.get_running_loop().run_in_executor(thread, alteration.run, work)
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:
                await uninterrupted(_interrupt(alteration, done))
                raise

    def explain(self, error: BaseException) -> BedplateError | None:
        """The typed error that says the same as PostgreSQL's."""
        return explain(error, self.address)

    def _opened(self) -> _Pools:
        if self._pools is None:
            raise DatabaseUnreachableError("the database is not open", fix="start the service first")
        return self._pools

    async def _lease(
        self,
        turnstile: Turnstile,
        work: Callable[[sa.Connection], T],
        *,
        read_only: bool,
        granted: Callable[[], None] = lambda: None,
    ) -> tuple[PostgresLease, T]:
        await turnstile.enter()
        try:
            lease = PostgresLease(self._opened().engine, turnstile)
        except BaseException:
            turnstile.leave()
            raise
        statement = self.address.begin

        def begin(connection: sa.Connection) -> T:
            granted()
            _begin(connection, statement, read_only=read_only)
            return work(connection)

        try:
            return lease, await lease.begin(begin)
        except BaseException:
            await lease.end()
            raise

    async def _inspect(self, connection: AsyncConnection) -> None:
        result = await connection.exec_driver_sql(
            "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('server_encoding')"
        )
        found: Any = result.one()
        version, standby, encoding = found
        if version < _OLDEST * 10_000:
            raise DatabaseURLError(
                f"the server is PostgreSQL {version // 10_000}",
                why=f"{self.address.name}, set by {SETTING}",
                fix=f"use one of {_OLDEST} or newer",
            )
        if standby:
            raise DatabaseReadOnlyError(
                "the server is a standby, which cannot be written",
                why=f"{self.address.name}, set by {SETTING}",
                fix="name the primary, or add target_session_attrs=read-write to the URL",
            )
        if encoding != "UTF8":
            raise DatabaseURLError(
                f"the encoding of the database is {encoding}",
                why=f"{self.address.name}, set by {SETTING}",
                fix="make a database with ENCODING 'UTF8'",
            )


def _begin(connection: sa.Connection, statement: str | None, *, read_only: bool) -> None:
    if read_only:
        connection.execution_options(postgresql_readonly=True)
    if not read_only or statement is not None:
        connection.begin()
    if not read_only:
        driver_of(connection).begun = True
    if statement is not None:
        connection.exec_driver_sql(statement)


def _nothing(_: sa.Connection | None = None) -> None:
    """Nothing more is to be done."""


async def _interrupt(alteration: Alteration, done: asyncio.Future[Any]) -> None:
    await asyncio.to_thread(alteration.interrupt)
    await asyncio.wait({done})


def _keep_after_cancellation(context: ExceptionContext) -> None:
    # SQLAlchemy gives up a connection whose statement is cancelled; this driver has the server end the statement.
    if isinstance(context.original_exception, asyncio.CancelledError) and context.connection is not None:
        driver = context.connection.connection.driver_connection
        if isinstance(driver, psycopg.AsyncConnection) and not driver.closed:
            context.is_disconnect = driver.info.transaction_status not in _SETTLED


def _leave_out_values(context: ExceptionContext) -> None:
    """Leave out what the server adds to an error: the values of the row that it is about, which may be secret."""
    error, outer = context.original_exception, context.sqlalchemy_exception
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        error.args = (error.diag.message_primary,)
        if outer is not None:
            outer.args = (f"({type(error).__module__}.{type(error).__qualname__}) {error.diag.message_primary}",)


def _own_tools(command: str) -> BackupUnsupportedError:
    return BackupUnsupportedError(
        "a PostgreSQL database is backed up by its own tools", fix=f"use: {command}, with the URL of the database"
    )
