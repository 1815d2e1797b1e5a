"""What the database service asks of a backend."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bedplate.services.errors import BedplateError

__all__ = ["DatabaseBackend", "typed_errors"]

T = TypeVar("T")


class DatabaseBackend(Protocol):
    """Connections to one kind of database.

    Attributes:
        name: What the setting ``BEDPLATE_DATABASE__BACKEND`` calls it.
    """

    name: str

    @property
    def is_open(self) -> bool:
        """Whether ``open`` has been called, and ``close`` not since."""
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

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection that only reads, not in a transaction, for the length of the block."""
        ...

    def write(self, *, inside_read: bool = False) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection in a transaction that holds the right to write; rolled back at the end unless committed.

        Args:
            inside_read: Whether the calling task is inside a block of ``read``.
        """
        ...

    async def alter(self, work: Callable[[sa.Connection], T]) -> T:
        """Run blocking ``work`` that may change tables, in one transaction that excludes every writer of any process.

        It runs off the event loop where the database allows it. A cancellation rolls back, and is raised after that.
        """
        ...

    def explain(self, error: BaseException) -> BedplateError | None:
        """The typed error that says the same as the database's; None for one that is none of the database's state."""
        ...


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
