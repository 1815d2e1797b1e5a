"""A connection to PostgreSQL that is given up when the server does not answer at all."""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

__all__ = ["PatientConnection", "connect"]

T = TypeVar("T")

_GRACE = 5.0
"""Seconds beyond the longest statement in which the server must have said that it was too long."""


class PatientConnection(psycopg.AsyncConnection[Any]):
    """Waits no longer for an answer than a statement may take.

    The server ends a statement that takes too long, and TCP a connection to a machine that is gone. Neither helps
    where something between the two, such as a firewall, has forgotten the connection and tells nobody.
    """

    patience: float | None = None
    begun: bool = False
    used_at: float = float("-inf")

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for what the server answers.

        Raises:
            psycopg.OperationalError: It does not, or the connection broke; it is closed then.
        """
        try:
            return await super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.pgconn.finish()  # an answer that comes yet would be taken for that to another statement
            raise


async def connect(statement_timeout: float, *args: Any, **arguments: Any) -> psycopg.AsyncConnection[Any]:
    """Open a connection.

    Args:
        statement_timeout: Seconds that a statement may take; 0: as long as it wants.
        args: As of ``psycopg.AsyncConnection.connect``.
        arguments: As of ``psycopg.AsyncConnection.connect``.
    """
    connection = await PatientConnection.connect(*args, **arguments)
    connection.patience = statement_timeout + _GRACE if statement_timeout else None
    return connection
