"""Errors of the database service.

::

    UnavailableError
    ├── DatabaseUnreachableError    the database cannot be opened
    ├── DatabaseLockedError         another process held the write lock for too long
    ├── DatabaseBusyError           no connection of this process became free in time
    ├── DatabaseInUseError          it cannot be restored while a process has it open
    ├── DatabaseTimeoutError        a statement took too long
    ├── DatabaseFullError           no space is left
    ├── DatabaseIOError             the disk or the server failed while reading or writing
    └── TransactionLostError        the database rolled the transaction back by itself
    ConfigurationError
    ├── DatabaseURLError            the URL, or a setting beside it, is wrong
    ├── DatabaseReadOnlyError       the database cannot be written
    ├── BackupUnsupportedError      databases of this kind have tools of their own for backups
    └── SchemaError                 the tables are not those of this release
        ├── SchemaAheadError        a newer release has migrated the database
        ├── SchemaBehindError       the database is not migrated, and may not be at start
        └── UnknownRevisionError    the revision is none that this release knows
    CorruptDataError
    ├── DatabaseCorruptError        the file is damaged, or not a database
    └── BackupInvalidError          the file is no whole backup of a database of Bedplate
    ConflictError
    ├── BackupExistsError           there is a file where a backup should be written
    ├── UniqueViolationError        a row with these values is there already
    └── ForeignKeyViolationError    the row refers to one that is missing, or is referred to
    BedplateError
    └── ReadOnlySessionError        a write in a session that only reads
"""

from pathlib import Path
from typing import Any

from bedplate.services.errors import (
    BedplateError,
    ConfigurationError,
    ConflictError,
    CorruptDataError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "BackupExistsError",
    "BackupInvalidError",
    "BackupUnsupportedError",
    "DatabaseBusyError",
    "DatabaseCorruptError",
    "DatabaseFullError",
    "DatabaseIOError",
    "DatabaseInUseError",
    "DatabaseLockedError",
    "DatabaseReadOnlyError",
    "DatabaseTimeoutError",
    "DatabaseURLError",
    "DatabaseUnreachableError",
    "ForeignKeyViolationError",
    "ReadOnlySessionError",
    "SchemaAheadError",
    "SchemaBehindError",
    "SchemaError",
    "TransactionLostError",
    "UniqueViolationError",
    "UnknownRevisionError",
]


class _DatabaseError(BedplateError):
    """Names the service, so that each place that raises need not."""

    def __init__(self, what: str, **details: Any) -> None:
        super().__init__(what, service=ServiceType.DATABASE, **details)


class DatabaseUnreachableError(_DatabaseError, UnavailableError):
    """The database cannot be opened."""

    code = "database_unreachable"


class DatabaseLockedError(_DatabaseError, UnavailableError):
    """Another process held the write lock for longer than ``busy_timeout``."""

    code = "database_locked"


class DatabaseBusyError(_DatabaseError, UnavailableError):
    """No connection of this process became free within ``pool_timeout``."""

    code = "database_busy"


class DatabaseTimeoutError(_DatabaseError, UnavailableError):
    """A statement took longer than ``statement_timeout``; the transaction is rolled back."""

    code = "database_timeout"


class DatabaseFullError(_DatabaseError, UnavailableError):
    """No space is left for the database; the transaction is rolled back, and nothing stored before is lost."""

    code = "database_full"


class DatabaseIOError(_DatabaseError, UnavailableError):
    """The disk or the server failed while reading or writing."""

    code = "database_io"


class TransactionLostError(_DatabaseError, UnavailableError):
    """The database rolled the transaction back by itself, after an earlier error in it that the caller caught."""

    code = "database_transaction_lost"


class DatabaseURLError(_DatabaseError, ConfigurationError):
    """The URL, or a setting beside it, is wrong."""

    code = "database_url"


class DatabaseReadOnlyError(_DatabaseError, ConfigurationError):
    """The database, or the folder that it is in, cannot be written."""

    code = "database_read_only"


class SchemaError(_DatabaseError, ConfigurationError):
    """The tables in the database are not those of this release."""

    code = "schema"


class SchemaAheadError(SchemaError):
    """A newer release of Bedplate has migrated the database."""

    code = "schema_ahead"


class SchemaBehindError(SchemaError):
    """The database is older than this release, and migrating it at start is switched off."""

    code = "schema_behind"


class UnknownRevisionError(SchemaError):
    """The revision is none that this release knows."""

    code = "schema_unknown"


class DatabaseCorruptError(_DatabaseError, CorruptDataError):
    """The file is damaged, or is not a database."""

    code = "database_corrupt"


class DatabaseInUseError(_DatabaseError, UnavailableError):
    """The database cannot be restored while a process has it open."""

    code = "database_in_use"


class BackupExistsError(_DatabaseError, ConflictError):
    """There is a file where a backup should be written."""

    code = "backup_exists"


class BackupUnsupportedError(_DatabaseError, ConfigurationError):
    """Databases of this kind are backed up by tools of their own."""

    code = "backup_unsupported"


class BackupInvalidError(_DatabaseError, CorruptDataError):
    """The file is no whole backup of a database of Bedplate."""

    code = "backup_invalid"

    def __init__(self, path: Path, what: str, *, why: str) -> None:
        super().__init__(f"{path} is no backup that can be used: {what}", why=why, fix="use another backup")


class ReadOnlySessionError(_DatabaseError):
    """A write in a session that only reads: a mistake in the calling code."""

    code = "database_session_read_only"


class UniqueViolationError(_DatabaseError, ConflictError):
    """A row with these values is there already.

    Attributes:
        table: The table, or None where the database does not tell.
        columns: The columns whose values are taken; empty where the database does not tell.
    """

    code = "unique_violation"

    def __init__(self, table: str | None, columns: tuple[str, ...]) -> None:
        super().__init__(f"{table or 'the table'} has a row with the same {', '.join(columns) or 'values'} already")
        self.table = table
        self.columns = columns


class ForeignKeyViolationError(_DatabaseError, ConflictError):
    """The row refers to one that is missing, or others still refer to it.

    Attributes:
        table: The table that was written, or None where that cannot be told.
        columns: Its columns that refer to rows, of which one is wrong; empty where it is others that refer to it.
    """

    code = "foreign_key_violation"

    def __init__(self, table: str | None, columns: tuple[str, ...] = ()) -> None:
        by = f" by {' or '.join(columns)}" if columns else ""
        super().__init__(f"a row of {table or 'the table'} refers to one that is not there{by}")
        self.table = table
        self.columns = columns
