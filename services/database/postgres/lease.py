"""The use of a connection by one task."""

import time
from collections.abc import Callable
from typing import TypeVar, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from bedplate.services.database.postgres.connection import PatientConnection
from bedplate.services.database.turnstile import Turnstile
from bedplate.services.logs import get_logger
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["PostgresLease", "driver_of"]

T = TypeVar("T")

_log = get_logger("bedplate.database")


class PostgresLease:
    """See :class:`~bedplate.services.database.backend.Lease`; steps that follow each other are one greenlet.

    Args:
        engine: Where the connection comes from.
        turnstile: What is left at the end.
    """

    __slots__ = ("_engine", "_turnstile", "connection")

    connection: AsyncConnection

    def __init__(self, engine: AsyncEngine, turnstile: Turnstile) -> None:
        self._engine = engine
        self._turnstile = turnstile

    async def begin(self, work: Callable[[sa.Connection], T]) -> T:
        """Open the connection, and call ``work`` with it."""
        return await greenlet_spawn(self._begin, work)

    async def commit(self, last: Callable[[], None]) -> None:
        """See :class:`~bedplate.services.database.backend.Lease`; the connection is back in its pool then."""
        await uninterrupted(self.connection.run_sync(self._commit, last))

    async def end(self) -> None:
        """Give the connection back; what is still open in it is rolled back."""
        try:
            if hasattr(self, "connection") and not self.connection.closed:
                await uninterrupted(self.connection.run_sync(_close))
        finally:
            self._turnstile.leave()

    def _begin(self, work: Callable[[sa.Connection], T]) -> T:
        connection = self._engine.sync_engine.connect()
        self.connection = AsyncConnection(self._engine, connection)
        return work(connection)

    @staticmethod
    def _commit(connection: sa.Connection, last: Callable[[], None]) -> None:
        last()
        connection.commit()
        _close(connection)


def driver_of(connection: sa.Connection) -> PatientConnection:
    """The driver's connection under one of SQLAlchemy's."""
    return cast(PatientConnection, connection.connection.driver_connection)


def _close(connection: sa.Connection) -> None:
    if not connection.invalidated:
        driver = driver_of(connection)
        driver.begun, driver.used_at = False, time.monotonic()
    try:
        connection.close()
    except (SQLAlchemyError, psycopg.Error) as error:
        _log.warning("a connection was given up", cause=type(error).__name__)
        connection.invalidate()
