"""Bringing the tables to a revision: at start, and from the command line."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from bedplate.services.database.backend import DatabaseBackend, leased, typed_errors
from bedplate.services.database.errors import SchemaBehindError, SchemaError
from bedplate.services.database.revisions import OWN, History, forget_revisions
from bedplate.services.logs import get_logger

__all__ = ["Migrations"]

T = TypeVar("T")

_log = get_logger("bedplate.database")


class Migrations:
    """A history of revisions on one database; whatever else is in it is left alone.

    Works whether the service is started or not. Many processes may begin at once: one migrates, the others wait and
    find it done.

    Args:
        backend: The database.
        history: Whose revisions.
    """

    def __init__(self, backend: DatabaseBackend, history: History = OWN) -> None:
        self._backend = backend
        self._history = history

    @property
    def head(self) -> str:
        """The newest revision of this release."""
        return self._history.head

    async def current(self) -> str | None:
        """The revision that the database is at; None for one without Bedplate's tables."""
        return await self._read(self._history.read)

    async def at_start(self, *, migrate: bool = True) -> None:
        """Make sure that the tables are those of this release, at the cost of two small queries where they are.

        Args:
            migrate: Whether they may be changed.

        Raises:
            SchemaAheadError: A newer release has migrated the database.
            SchemaBehindError: They are older, and may not be changed.
            UnknownRevisionError: No release has made them.
        """
        current = await self.current()
        if current == self.head:
            return
        self._history.require_known(current)
        if not migrate:
            raise SchemaBehindError(
                f"the schema is at revision {current or 'none'}, this release needs {self.head}",
                why="BEDPLATE_DATABASE__MIGRATE is off",
                fix="run: bedplate db upgrade",
            )
        await self.upgrade()

    async def upgrade(self, revision: str = "head") -> None:
        """Run the revisions up to the given one (``"head"``, a number, or ``"+1"``): all of them or none.

        Raises:
            SchemaError: There is no such revision, or one failed; nothing is changed then.
        """

        def work(connection: sa.Connection) -> None:
            # Another process may have been faster while this one waited.
            current = self._history.read(connection)
            if current == (self.head if revision == "head" else revision):
                return
            self._history.require_known(current)
            from bedplate.services.database import alembic_commands

            alembic_commands.upgrade(connection, self._history, revision)
            _log.info(
                "database migrated", history=self._history.name, before=current, now=self._history.read(connection)
            )

        await self._alter(work)

    async def downgrade(self, revision: str) -> None:
        """Undo the revisions down to the given one (a number, ``"-1"``, or ``"base"`` for all): data may be lost.

        Raises:
            SchemaError: There is no such revision, or one failed; nothing is changed then.
        """

        def work(connection: sa.Connection) -> None:
            current = self._history.read(connection)
            self._history.require_known(current)
            from bedplate.services.database import alembic_commands

            alembic_commands.downgrade(connection, self._history, revision)
            _log.info(
                "database migrated", history=self._history.name, before=current, now=self._history.read(connection)
            )

        await self._alter(work)

    async def check(self) -> list[str]:
        """What would have to change for the tables to be those of the models, one operation each; empty if nothing."""

        def work(connection: sa.Connection) -> list[str]:
            from bedplate.services.database import alembic_commands

            return alembic_commands.differences(connection, self._history)

        return await self._alter(work)

    async def revision(self, message: str, *, folder: Path | None = None) -> Path:
        """Write the next revision from the difference between tables and models, to be read before it is used.

        Args:
            message: What it does, in a few words; becomes its name.
            folder: Where to; by default among the others.

        Raises:
            SchemaError: The database is not at head.
        """

        def work(connection: sa.Connection) -> Path:
            from bedplate.services.database import alembic_commands

            return alembic_commands.new_revision(connection, self._history, message, folder)

        path = await self._alter(work)
        forget_revisions()
        return path

    async def _read(self, work: Callable[[sa.Connection], T]) -> T:
        with typed_errors(self._backend):
            async with self._open(), leased(self._backend.read()) as connection:
                return await connection.run_sync(work)

    async def _alter(self, work: Callable[[sa.Connection], T]) -> T:
        with typed_errors(self._backend):
            async with self._open():
                try:
                    return await self._backend.alter(work)
                except DBAPIError as error:
                    if self._backend.explain(error) is not None:
                        raise
                    raise SchemaError(
                        "a migration failed; nothing was changed",
                        why=str(error.orig),
                        fix="see whether the tables were changed by hand; `bedplate db check` lists the differences",
                    ) from error

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        if self._backend.is_open:
            yield
            return
        try:
            await self._backend.open()
            yield
        finally:
            await self._backend.close()
