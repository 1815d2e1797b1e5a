"""Sessions over connections that are the database service's to end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.exc import PendingRollbackError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSessionTransaction
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.backend import Lease
from bedplate.services.database.errors import TransactionLostError
from bedplate.services.logs import get_logger

__all__ = ["close", "closing", "commit", "savepoint", "session_over"]

_log = get_logger("bedplate.database")


def session_over(connection: AsyncConnection) -> AsyncSession:
    """A session over a connection whose transaction is not the session's to end: who joins cannot commit it."""
    return AsyncSession(connection, expire_on_commit=False, join_transaction_mode="rollback_only")


async def close(session: AsyncSession) -> None:
    """Let go of its rows, and of what is open in it."""
    if session.in_transaction():
        # Not its own exit, which starts a task.
        await session.close()
    else:
        session.sync_session.close()  # there is nothing to wait for


class closing:  # noqa: N801 - used like a function
    """A session that is closed at the end of a block."""

    __slots__ = ("_session",)

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def __aenter__(self) -> AsyncSession:
        return self._session

    async def __aexit__(self, *error: object) -> None:
        await close(self._session)


async def commit(session: AsyncSession, lease: Lease) -> None:
    """Write what was only added, and commit.

    Raises:
        TransactionLostError: An error inside was caught, and had rolled the transaction back.
    """

    def last() -> None:
        session.sync_session.commit()
        if not lease.connection.in_transaction():
            raise _lost()

    try:
        if session.new or session.dirty or session.deleted:
            await session.flush()  # apart, since it may be interrupted
        await lease.commit(last)
    except PendingRollbackError as error:
        raise _lost() from error


def _lost() -> TransactionLostError:
    return TransactionLostError(
        "nothing was stored: an error inside the transaction was caught, and had rolled it back",
        fix="put what may fail into a transaction() of its own inside this one, which is a savepoint",
    )


@asynccontextmanager
async def savepoint(session: AsyncSession) -> AsyncIterator[None]:
    """A savepoint for the length of a block; an error that leaves it undoes what was done in it."""
    begun = await session.begin_nested()
    try:
        yield
        await begun.commit()
    except BaseException:
        await _undo(session, begun)
        raise


async def _undo(session: AsyncSession, savepoint: AsyncSessionTransaction) -> None:
    try:
        await savepoint.rollback()
        for row in list(session):
            # The outer part goes on with them: read again now what would otherwise be loaded on access.
            if sa.inspect(row).expired:
                await session.refresh(row)
    except SQLAlchemyError as error:
        # The whole transaction is gone, which the next statement in it reports; the first error says why.
        _log.debug("a savepoint could not be rolled back", cause=type(error).__name__)
