"""What the database service asks of a backend."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bedplate.services.errors import BedplateError

__all__ = ["Backup", "DatabaseBackend", "Lease", "leased", "typed_errors"]

T = TypeVar("T")


class Lease(Protocol):
    """The use of a connection by one task.

    Attributes:
        connection: The connection.
    """

    connection: AsyncConnection

    async def commit(self, last: Callable[[], None]) -> None:
        """Commit, after a call of ``last``, which may execute statements; once begun, it is not interrupted.

        The connection is no good for anything else then.
        """
        ...

    async def end(self) -> None:
        """Give the connection back, rolling back what is still open in it; must be called, whatever happened."""
        ...


class Backup(NamedTuple):
    """A backup that was checked.

    Attributes:
        path: The file.
        size: Its size, in bytes.
        revision: The revision that its tables are at.
    """

    path: Path
    size: int
    revision: str


class DatabaseBackend(Protocol):
    """Connections to one kind of database.

    Attributes:
        name: What the setting ``BEDPLATE_DATABASE__BACKEND`` calls it.
    """

    name: str

    @property
    def is_kept(self) -> bool:
        """Whether what is stored outlives the process."""
        ...

    def size(self) -> int | None:
        """Bytes that the database takes up, as far as that can be told without asking it."""
        ...

    def exists(self) -> bool:
        """Whether there is a database; False where ``open`` would make one. Blocks no longer than a look at a disk."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called, and ``close`` not since."""
        ...

    @property
    def engines(self) -> Sequence[sa.Engine]:
        """What its connections come from, while it is open."""
        ...

    async def open(self) -> None:
        """Check that the database can be reached, and get ready.

        Raises:
            DatabaseURLError: The URL, or a setting beside it, is wrong.
            BedplateError: The database cannot be used: unreachable, not a database, not writable, locked.
        """
        ...

    async def close(self) -> None:
        """Give everything back; safe after an ``open`` that got only half way."""
        ...

    async def read(self) -> Lease:
        """A connection that only reads, not in a transaction.

        Raises:
            DatabaseBusyError: None became free within ``pool_timeout``.
        """
        ...

    async def write(self, *, inside_read: bool = False) -> Lease:
        """A connection in a transaction that holds the right to write; the end of the lease rolls back.

        Args:
            inside_read: Whether the calling task has a lease for reading.

        Raises:
            DatabaseBusyError: The turn to write did not come within ``pool_timeout``.
        """
        ...

    async def look(self, work: Callable[[sa.Connection], T]) -> T:
        """Call ``work``, which blocks, with a connection as of :meth:`read`; off the event loop where that is best."""
        ...

    async def transact(
        self, work: Callable[[sa.Connection], T], *, granted: Callable[[], None], inside_read: bool = False
    ) -> T:
        """Call ``work``, which blocks, with a connection as of :meth:`write`, and commit what it did.

        Args:
            work: Executes statements; may be called again when another process is in the way of the commit.
            granted: Called when the turn to write has come.
            inside_read: As with :meth:`write`.

        Raises:
            DatabaseBusyError: The turn to write did not come within ``pool_timeout``.
        """
        ...

    async def alter(self, work: Callable[[sa.Connection], T]) -> T:
        """Run blocking ``work`` that may change tables, in one transaction that excludes every writer of any process.

        It runs off the event loop where the database allows it. A cancellation rolls back, and is raised after that.
        """
        ...

    async def back_up(self, target: Path) -> Backup:
        """Write a backup of this moment to a new file; see :class:`~bedplate.services.database.backups.Backups`."""
        ...

    async def check_backup(self, path: Path) -> Backup:
        """Look whether a file is a whole backup that this release can use."""
        ...

    async def restore(self, source: Path, now: datetime) -> tuple[Backup, Path | None]:
        """Put a backup in the place of the database; what was there is kept under a name that tells ``now``."""
        ...

    def explain(self, error: BaseException) -> BedplateError | None:
        """The typed error that says the same as the database's; None for one that is none of the database's state."""
        ...


@asynccontextmanager
async def leased(lease: Awaitable[Lease]) -> AsyncIterator[AsyncConnection]:
    """Hold a lease, such as ``backend.read()``, for the length of the block."""
    lent = await lease
    try:
        yield lent.connection
    finally:
        await lent.end()


@contextmanager
def typed_errors(backend: DatabaseBackend, failed: Callable[[BedplateError], None] = lambda _: None) -> Iterator[None]:
    """Turn the database's own errors in the block into typed ones, told to ``failed``; others pass unchanged."""
    try:
        yield
    except BedplateError:
        raise
    except Exception as error:
        typed = backend.explain(error)
        if typed is None:
            raise
        failed(typed)
        raise typed from error
