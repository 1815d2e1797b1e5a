"""Backups of the database, while it is used, and restoring them."""

from pathlib import Path

from bedplate.services.database.backend import Backup, DatabaseBackend, typed_errors
from bedplate.services.database.models import utc_now
from bedplate.services.logs import get_logger

__all__ = ["Backups"]

_log = get_logger("bedplate.database")


class Backups:
    """Backups of one database; works whether the service is started or not.

    What is not in the database is not in a backup: the secret key, without which variables cannot be read, and files.
    """

    def __init__(self, backend: DatabaseBackend) -> None:
        self._backend = backend

    async def create(self, path: Path) -> Backup:
        """Write a backup of this moment; who reads and writes meanwhile goes on.

        The file is for its owner alone, and is there whole and checked, or not at all; also when this is cancelled.

        Args:
            path: The file, which must not exist.

        Raises:
            BackupExistsError: It does.
            BackupInvalidError: The database is damaged, or was never migrated.
            DatabaseFullError: There is no room for it.
        """
        with typed_errors(self._backend):
            made = await self._backend.back_up(path)
        _log.info("database backed up", path=str(path), bytes=made.size, revision=made.revision)
        return made

    async def check(self, path: Path) -> Backup:
        """Look whether a file is a whole backup that this release can use.

        Raises:
            BackupInvalidError: It is none, is cut off, or is damaged.
            SchemaAheadError: A newer release has made it.
            UnknownRevisionError: No release has.
        """
        with typed_errors(self._backend):
            return await self._backend.check_backup(path)

    async def restore(self, path: Path) -> tuple[Backup, Path | None]:
        """Put a backup in the place of the database, all at once; an older one is migrated at the next start.

        Returns:
            The backup, and the file of the database as it was before; None if there was none.

        Raises:
            BackupInvalidError: It is none, is cut off, or is damaged; nothing was changed.
            SchemaAheadError: A newer release has made it; nothing was changed.
            DatabaseInUseError: A process has the database open; nothing was changed.
        """
        with typed_errors(self._backend):
            restored, kept = await self._backend.restore(path, utc_now())
        _log.warning("database restored", path=str(path), revision=restored.revision, before=str(kept))
        return restored, kept
