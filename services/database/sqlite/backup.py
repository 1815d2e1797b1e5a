"""Backups of a SQLite database: whole copies of a moment, checked, and put in place all at once. All of it blocks."""

import contextlib
import errno
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from bedplate.services.database.backend import Backup
from bedplate.services.database.errors import (
    BackupExistsError,
    BackupInvalidError,
    DatabaseFullError,
    DatabaseInUseError,
    DatabaseIOError,
    DatabaseReadOnlyError,
)
from bedplate.services.database.models import PREFIX
from bedplate.services.database.revisions import OWN
from bedplate.services.database.sqlite.connection import is_busy
from bedplate.services.database.sqlite.location import Location
from bedplate.services.engines.private_files import publish

__all__ = ["Copying"]

_PAGES = 1024
_HEADER = b"SQLite format 3\0"
_HEADER_BYTES = 100
_PAGE_SIZE = slice(16, 18)
_PAGE_COUNT = slice(28, 32)


class Copying:
    """One backup or restore; its methods belong into a thread, :meth:`interrupt` may come from any other.

    Args:
        location: The database.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._interrupted = threading.Event()
        self._connection: sqlite3.Connection | None = None

    def interrupt(self) -> None:
        """End what runs: it raises, and leaves everything as it was."""
        self._interrupted.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it was just closed
                connection.interrupt()

    def backup(self, target: Path) -> Backup:
        """Copy the database as it is at this moment, whoever writes meanwhile; check the copy, then give it its name.

        Raises:
            BackupExistsError: There is a file of that name.
            BackupInvalidError: The copy is damaged, as the database must be then, or has no tables of Bedplate.
        """
        if target.exists():
            raise _exists(target)
        with _typed(target.parent), _partial(target) as copy:
            with self._opened(self._location.connect) as source, self._opened(lambda: _plain(copy)) as into:
                # The snapshot of this transaction stays: no writer makes the copying begin anew.
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").close()
                source.backup(into, pages=_PAGES, progress=self._go_on)
                into.execute("PRAGMA journal_mode=DELETE").close()
            revision = self.check(copy).revision
            _sync(copy)
            if not publish(copy, target):
                raise _exists(target)
            return Backup(target, target.stat().st_size, revision)

    def check(self, path: Path) -> Backup:
        """Look whether a file is a whole backup that this release can use.

        Raises:
            BackupInvalidError: It is none, is cut off, or is damaged.
            SchemaAheadError: A newer release has made it.
            UnknownRevisionError: No release has.
        """
        size = _whole_size(path)
        try:
            with self._opened(lambda: _read_only(path)) as connection:
                found = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
                # Of our own tables: what an application has beside them is its affair.
                broken = [
                    row[0] for row in connection.execute("PRAGMA foreign_key_check") if str(row[0]).startswith(PREFIX)
                ]
            engine = sa.create_engine("sqlite://", creator=lambda: _read_only(path), poolclass=NullPool)
            with engine.connect() as reading:
                revision = OWN.read(reading)
        except sqlite3.DatabaseError as error:
            raise BackupInvalidError(path, "it is damaged", why=type(error).__name__) from error
        except sa.exc.DBAPIError as error:
            raise BackupInvalidError(path, "it is damaged", why=type(error.orig).__name__) from error
        if found != ["ok"]:
            raise BackupInvalidError(path, "it is damaged", why=str(found[0]))
        if revision is None:
            raise BackupInvalidError(path, "it is no database of Bedplate", why="it has no table of revisions")
        OWN.require_known(revision)
        if broken:
            raise BackupInvalidError(path, "it is damaged", why=f"a row of {broken[0]} refers to one that is missing")
        return Backup(path, size, revision)

    def restore(self, source: Path, now: datetime) -> tuple[Backup, Path | None]:
        """Put a checked copy of a backup in the place of the database, whose file is kept beside it.

        Returns:
            The backup, and where the database of before is; None if there was none.

        Raises:
            BackupInvalidError: It is none, is cut off, or is damaged.
            SchemaAheadError: A newer release has made it.
            DatabaseInUseError: A process has the database open.
        """
        target = self._location.path
        if target is None:
            raise DatabaseInUseError("a database in memory cannot be restored", fix="unset BEDPLATE_DATABASE__URL")
        _whole_size(source)
        with _typed(target.parent), _partial(target) as copy:
            shutil.copyfile(source, copy)
            self._go_on()
            checked = self.check(copy)
            _sync(copy)
            with self._alone(target):
                kept = _put_aside(target, now)
                copy.replace(target)
                _sync_folder(target.parent)
        return Backup(source, checked.size, checked.revision), kept

    @contextlib.contextmanager
    def _alone(self, target: Path) -> Iterator[None]:
        """Have the database for this process alone; what its log holds is in its file then."""
        if not target.exists():
            yield
            return
        with self._opened(lambda: _plain(target)) as connection:
            try:
                # Refused while anybody has it open, however idle.
                connection.execute("PRAGMA journal_mode=DELETE").close()
                connection.execute("BEGIN EXCLUSIVE").close()
            except sqlite3.DatabaseError as error:
                if is_busy(error):
                    raise DatabaseInUseError(
                        "a process has the database open", why=str(target), fix="stop every server and worker first"
                    ) from None
                # A damaged one cannot be asked: that may be why it is being restored.
            yield

    @contextlib.contextmanager
    def _opened(self, connect: Callable[[], sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
        self._go_on()
        before, self._connection = self._connection, connect()
        try:
            yield self._connection
        finally:
            self._connection.close()
            self._connection = before

    def _go_on(self, *_progress: int) -> None:
        if self._interrupted.is_set():
            raise InterruptedError("interrupted")


def _exists(path: Path) -> BackupExistsError:
    return BackupExistsError(f"there is a file {path} already", fix="choose another name, or move that one away")


@contextlib.contextmanager
def _typed(folder: Path) -> Iterator[None]:
    """Turn what a disk fails with into errors that name the folder."""
    try:
        yield
    except OSError as error:
        why = f"{folder}: {error.strerror or type(error).__name__}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(folder, why) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise DatabaseReadOnlyError("the folder cannot be written", why=why, fix="name another one") from error
        raise DatabaseIOError("the disk failed while reading or writing", why=why, fix="check the disk") from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise _full(folder, f"{folder}: {error}") from error
        raise


def _full(folder: Path, why: str) -> DatabaseFullError:
    return DatabaseFullError("no space is left for a copy of the database", why=why, fix=f"free space in {folder}")


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """An empty file beside the target, for its owner alone; gone at the end, if it is still there."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield path
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)


def _read_only(path: Path) -> sqlite3.Connection:
    # Nobody changes it: no lock is needed, nor a log beside it.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _whole_size(path: Path) -> int:
    """The size of a database file, which must be what its header says."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise BackupInvalidError(path, "it cannot be read", why=error.strerror or type(error).__name__) from error
    if not header.startswith(_HEADER) or len(header) < _HEADER_BYTES:
        raise BackupInvalidError(path, "it is no SQLite database", why=f"it has {size} bytes")
    page = int.from_bytes(header[_PAGE_SIZE])
    expected = (65536 if page == 1 else page) * int.from_bytes(header[_PAGE_COUNT])
    if size != expected:
        raise BackupInvalidError(path, "it is cut off, or has something behind it", why=f"{size} of {expected} bytes")
    return size


def _put_aside(target: Path, now: datetime) -> Path | None:
    """Give the database another name beside its own, under which it stays; None if there is none."""
    kept = target.with_name(f"{target.name}.before-restore-{now:%Y%m%dT%H%M%S%f}")
    found = False
    for suffix in ("", "-wal", "-shm"):
        path = target.with_name(target.name + suffix)
        if path.exists():
            if suffix:
                path.replace(kept.with_name(kept.name + suffix))
            else:
                found = True
                try:
                    os.link(path, kept)  # so that there is a database at every moment
                except OSError:
                    path.replace(kept)
    return kept if found else None


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
