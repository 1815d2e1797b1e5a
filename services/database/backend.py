"""What the database service asks of a backend."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from bedplate.services.errors import BedplateError

__all__ = ["DatabaseBackend"]


class DatabaseBackend(Protocol):
    """Connections to one kind of database.

    Attributes:
        name: What the setting ``BEDPLATE_DATABASE__BACKEND`` calls it.
    """

    name: str

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

    def explain(self, error: BaseException) -> BedplateError | None:
        """The typed error that says the same as the database's; None for one that is none of the database's state."""
        ...
