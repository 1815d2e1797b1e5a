"""Where a SQLite database is, and how a connection to it is opened."""

import sqlite3
from pathlib import Path

import msgspec
import sqlalchemy as sa

from bedplate.services.database.errors import DatabaseURLError
from bedplate.services.database.url import SETTING

__all__ = ["BUSY_SLICE", "Location"]

BUSY_SLICE = 0.05
"""Seconds that SQLite waits for a lock in one go; between two goes the waiting may be cancelled."""

_URI_OPTIONS = {"uri", "mode", "immutable", "nolock", "vfs"}
_MEMORY_NAMES = {None, "", ":memory:", "file::memory:"}
_PRAGMAS = (
    "foreign_keys=ON",
    "journal_mode=WAL",
    # In WAL mode a crash of the machine may lose the last commits, never the consistency of the file.
    "synchronous=NORMAL",
    # After a large transaction the log shrinks again.
    "journal_size_limit=67108864",
    # Writing begins with BEGIN IMMEDIATE, which lifts this: nothing is written outside a transaction.
    "query_only=ON",
)


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A SQLite database.

    Attributes:
        target: What ``sqlite3.connect`` is given.
        uri: Whether that is a URI.
        path: The file, or None for a database in memory.
    """

    target: str
    uri: bool = False
    path: Path | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.path) if self.path else "the database in memory"

    @classmethod
    def of(cls, url: sa.URL) -> "Location":
        """Read a SQLite URL.

        Raises:
            DatabaseURLError: It has parts that mean nothing here.
        """
        if url.host or url.username or url.password or url.port:
            raise DatabaseURLError(
                "a SQLite URL names a file, not a server",
                why=f"set by {SETTING}",
                fix="use three slashes for a relative path and four for an absolute one",
            )
        uri = str(url.query.get("uri", "")).lower() in {"1", "true", "yes", "on"}
        unknown = sorted(set(url.query) - (_URI_OPTIONS if uri else {"uri"}))
        if unknown:
            raise DatabaseURLError(
                f"the SQLite URL has an option that is not supported: {', '.join(unknown)}",
                why=f"set by {SETTING}",
                fix="remove it; waiting and pooling are settings of their own, such as BEDPLATE_DATABASE__BUSY_TIMEOUT",
            )
        options = "&".join(f"{key}={value}" for key, value in sorted(url.query.items()) if key != "uri")
        name = url.database
        if name in _MEMORY_NAMES or url.query.get("mode") == "memory":
            return cls(target=":memory:")
        path = Path((name or "").removeprefix("file:") if uri else name or "").absolute()
        if uri:
            return cls(target=path.as_uri() + (f"?{options}" if options else ""), uri=True, path=path)
        return cls(target=str(path), path=path)

    def connect(self) -> sqlite3.Connection:
        """Open a connection that reads; blocks.

        Raises:
            sqlite3.Error: It cannot be opened.
        """
        connection = sqlite3.connect(
            self.target, uri=self.uri, timeout=BUSY_SLICE, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection
