"""Changing tables: blocking work in one transaction, one process at a time."""

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from bedplate.services.database.postgres.address import Address

__all__ = ["Alteration"]

T = TypeVar("T")

_LOCK = 0x6265_6470_6C61_7465
"""The advisory lock that all processes that migrate take: "bedplate" in ASCII."""


class Alteration:
    """One piece of such work; :meth:`run` belongs into a thread, :meth:`interrupt` may come from any other.

    Args:
        address: The database.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._interrupted = threading.Event()
        self._connection: psycopg.Connection | None = None

    def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work`` with a connection in a transaction; commit what it did, or roll all of it back.

        The lock is the transaction's, so that it is held behind a pooler as well, and given back whatever happens.
        """
        engine = sa.create_engine(
            self._address.url, connect_args=self._address.connect_args, poolclass=NullPool, hide_parameters=True
        )
        try:
            with engine.connect() as connection, connection.begin():
                self._prepare(connection)
                return work(connection)
        finally:
            self._connection = None
            engine.dispose()

    def interrupt(self) -> None:
        """End the statement that runs, or the waiting: ``run`` then raises, with everything rolled back."""
        self._interrupted.set()
        connection = self._connection
        if connection is not None:
            connection.cancel_safe(timeout=5)

    def _prepare(self, connection: sa.Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - made by the engine above
        self._connection = driver
        if self._interrupted.is_set():
            raise psycopg.errors.QueryCanceled
        if self._address.begin is not None:
            connection.exec_driver_sql(self._address.begin)
        # A migration of a large table takes its time; waiting for another process is bounded by lock_timeout.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if self._address.schema is not None:
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self._address.schema}"')
