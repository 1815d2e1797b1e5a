"""The database service."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.base import Service
from bedplate.services.database.backend import DatabaseBackend, Lease, typed_errors
from bedplate.services.database.backups import Backups
from bedplate.services.database.checks import CHECKS
from bedplate.services.database.migrations import Migrations
from bedplate.services.database.revisions import History
from bedplate.services.database.sessions import close, closing, commit, savepoint, session_over
from bedplate.services.errors import BedplateError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["DatabaseService"]

T = TypeVar("T")

_CHECK_TIMEOUT = 2.0

_Task = asyncio.Task[Any] | None


class DatabaseService(Service):
    """Transactions and sessions over one database.

    Both belong to the task that opened them: what it calls joins them, and a task that it starts does not. The rows
    that they return keep their values after the end, save those of a transaction that a failed flush has undone.

    Errors of the database itself (locked, full, damaged, …) leave both as errors of ``services/database/errors.py``;
    a violated constraint stays SQLAlchemy's ``IntegrityError`` unless the query stands inside
    :func:`~bedplate.services.database.violations.violations`.

    Attributes:
        migrations: Brings the tables to a revision; usable before ``start`` as well.
        backups: Backs the database up and restores it; usable before ``start`` as well.
    """

    type = ServiceType.DATABASE
    part_names = ("backups", "migrations")
    checks = CHECKS

    def __init__(self, settings: SettingsService, telemetry: TelemetryService, backend: DatabaseBackend) -> None:
        self._settings = settings.values.database
        self._backend = backend
        self.backend = backend.name
        self.migrations = Migrations(backend)
        self.backups = Backups(backend)
        self._writing: dict[_Task, AsyncSession] = {}
        self._reading: dict[_Task, AsyncConnection] = {}
        self._after: dict[_Task, list[Callable[[], None]]] = {}
        meter = telemetry.meter
        self._readers = meter.up_down_counter("bedplate_database_readers", "Tasks that hold a connection for reading")
        self._working = 0
        meter.observe_gauge(
            "bedplate_database_writers",
            "Tasks that hold a connection for writing",
            lambda: [(len(self._writing) + self._working, {})],
        )
        self._waited = meter.histogram("bedplate_database_write_wait_seconds", "Waiting for the turn to write")
        self._lasted = meter.histogram("bedplate_database_transaction_seconds", "From begin to commit or rollback")
        meter.observe_gauge("bedplate_database_bytes", "Bytes that the database takes up on its disk", self._size)
        self._failed = meter.counter("bedplate_database_errors", "Errors of the database itself", labels=("code",))

    @property
    def is_kept(self) -> bool:
        """Whether what is stored outlives the process."""
        return self._backend.is_kept

    def exists(self) -> bool:
        """Whether there is a database; False where the first start would make one."""
        return self._backend.exists()

    async def _start(self) -> None:
        with typed_errors(self._backend, self._count):
            await self._backend.open()
            for engine in self._backend.engines:
                self._tell_of_client(engine)
            await self.migrations.at_start(migrate=self._settings.migrate)

    async def _stop(self) -> None:
        await self._backend.close()

    async def _check(self) -> str | None:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT), self.session() as session:
                await session.scalar(sa.select(1))
        except TimeoutError:
            return f"no answer within {_CHECK_TIMEOUT:g} s"
        return None

    def migrations_of(self, history: History) -> Migrations:
        """The revisions of a plug-in that has tables of its own in this database.

        A service of a plug-in runs them when it starts: ``await database.migrations_of(HISTORY).at_start()``.
        """
        return Migrations(self._backend, history)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: each statement sees the last commit before it.

        Inside the task's open transaction it is that transaction's session, which sees what it has written.

        Raises:
            UnavailableError: The service is not started, or no connection became free within ``pool_timeout``.
            ReadOnlySessionError: Something was written; that takes :meth:`transaction`.
        """
        task = asyncio.current_task()
        if (writing := self._writing.get(task)) is not None:
            yield writing
            return
        with typed_errors(self._backend, self._count):
            if (connection := self._reading.get(task)) is not None:
                async with closing(session_over(connection)) as session:
                    yield session
                return
            self._require_started()
            lease = await self._backend.read()
            self._readers.add(1)
            try:
                self._reading[task] = lease.connection
                async with closing(session_over(lease.connection)) as session:
                    yield session
            finally:
                self._reading.pop(task, None)
                self._readers.add(-1)
                await lease.end()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction: commits at the end of the block, rolls back when an error or a cancellation leaves it.

        Inside the task's open transaction it is a savepoint of that one: an error that leaves it undoes its own part
        alone, and the caller may catch it and go on. Nothing slow belongs inside: every other writer waits.

        Raises:
            UnavailableError: The service is not started, the turn to write did not come within ``pool_timeout``, or
                the database cannot be written now. Nothing is stored then.
        """
        task = asyncio.current_task()
        with typed_errors(self._backend, self._count):
            if (joined := self._writing.get(task)) is not None:
                async with savepoint(joined), self._undoing_calls(task):
                    yield joined
                return
            self._require_started()
            asked = time.perf_counter()
            lease = await self._backend.write(inside_read=task in self._reading)
            begun = time.perf_counter()
            session = session_over(lease.connection)
            try:
                self._waited.record(begun - asked)
                self._writing[task] = session
                yield session
                await self._commit(task, session, lease)
            finally:
                await self._end(task, session, lease)
                self._lasted.record(time.perf_counter() - begun)

    async def execute(
        self, statement: sa.Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> int:
        """One statement that writes, as a transaction of its own, without the session that rows would need.

        Inside the task's open transaction it is a savepoint of that one, as with :meth:`transaction`.

        Args:
            statement: What to do; it returns no rows.
            parameters: Its parameters; several sets execute it once for each.

        Returns:
            How many rows it concerned.

        Raises:
            UnavailableError: As with :meth:`transaction`.
        """
        # Of an insert, SQLAlchemy forgets the count unless it is asked to keep it.
        kept = {"preserve_rowcount": True}

        def work(connection: sa.Connection) -> int:
            result: sa.CursorResult[Any] = connection.execute(statement, parameters, execution_options=kept)
            return result.rowcount

        return await self._perform(work)

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Several statements, as a transaction of their own, without the session that rows would need.

        Inside the task's open transaction it is a savepoint of that one, as with :meth:`transaction`. Cancelled, it
        has happened wholly or not at all.

        Args:
            work: Executes the statements, and lets their errors pass. It may run in another thread, and be called
                again when another process was in the way of its commit: it changes nothing but the database.

        Returns:
            What ``work`` returns.

        Raises:
            UnavailableError: As with :meth:`transaction`.
        """
        return await self._perform(work)

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Several statements that read, without the session that rows would need; see :meth:`session`.

        Args:
            work: Executes the statements; it may run in another thread, and be called again.

        Returns:
            What ``work`` returns.

        Raises:
            UnavailableError: As with :meth:`session`.
            ReadOnlySessionError: Something was written; that takes :meth:`write`.
        """
        task = asyncio.current_task()
        with typed_errors(self._backend, self._count):
            if (writing := self._writing.get(task)) is not None:
                return await (await writing.connection()).run_sync(work)
            if (connection := self._reading.get(task)) is not None:
                return await connection.run_sync(work)
            self._require_started()
            self._readers.add(1)
            try:
                return await self._backend.look(work)
            finally:
                self._readers.add(-1)

    @property
    def in_transaction(self) -> bool:
        """Whether the calling task has a transaction open."""
        return asyncio.current_task() in self._writing

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the calling task's open transaction has been committed; at once if there is none.

        It is not called when the transaction, or the savepoint that it was given in, is rolled back. It must not raise.
        """
        task = asyncio.current_task()
        if task in self._writing:
            self._after.setdefault(task, []).append(call)
        else:
            call()

    @asynccontextmanager
    async def _undoing_calls(self, task: _Task) -> AsyncIterator[None]:
        before = len(self._after.get(task, ()))
        try:
            yield
        except BaseException:
            del self._after.get(task, [])[before:]
            raise

    async def _perform(self, work: Callable[[sa.Connection], T]) -> T:
        task = asyncio.current_task()
        if task in self._writing:
            async with self.transaction() as session:
                return await (await session.connection()).run_sync(work)
        self._require_started()
        asked = begun = time.perf_counter()
        working = False

        def granted() -> None:
            nonlocal begun, working
            begun = time.perf_counter()
            self._waited.record(begun - asked)
            self._working += not working
            working = True

        with typed_errors(self._backend, self._count):
            try:
                return await self._backend.transact(work, granted=granted, inside_read=task in self._reading)
            finally:
                self._working -= working
                self._lasted.record(time.perf_counter() - begun)

    async def _commit(self, task: _Task, session: AsyncSession, lease: Lease) -> None:
        try:
            await commit(session, lease)
        finally:
            # A cancellation may have come before the commit proper, which is not interrupted, or during it.
            if not lease.connection.in_transaction():
                for call in self._after.pop(task, ()):
                    call()

    async def _end(self, task: _Task, session: AsyncSession, lease: Lease) -> None:
        self._writing.pop(task, None)
        self._after.pop(task, None)
        try:
            await close(session)
        finally:
            await lease.end()

    def _size(self) -> Iterator[tuple[float, dict[str, str]]]:
        if self._started and (size := self._backend.size()) is not None:
            yield size, {}

    def _count(self, error: BedplateError) -> None:
        self._failed.add(1, code=error.code)
