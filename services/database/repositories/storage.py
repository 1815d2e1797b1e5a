"""Queries over the lists of users' files, for the storage service."""

import uuid
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import FileRow
from bedplate.services.database.violations import violations

__all__ = ["FileRepository"]


class FileRepository:
    """Files of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: FileRow) -> None:
        """Insert a file.

        Raises:
            UniqueViolationError: The user has one of this name.
        """
        self._session.add(row)
        await self.flush()

    async def flush(self) -> None:
        """Write what was changed.

        Raises:
            UniqueViolationError: The user has another file of a new name.
        """
        with violations():
            await self._session.flush()

    async def get(self, file_id: uuid.UUID) -> FileRow | None:
        """The file, if it is the user's."""
        return (await self._session.exec(select(FileRow).where(self._own, col(FileRow.id) == file_id))).one_or_none()

    async def many(self, file_ids: Collection[uuid.UUID]) -> Sequence[FileRow]:
        """Those of the files that are the user's, oldest first."""
        statement = select(FileRow).where(self._own, col(FileRow.id).in_(list(file_ids))).order_by(col(FileRow.id))
        return (await self._session.exec(statement)).all()

    async def all(self) -> Sequence[FileRow]:
        """All of them, oldest first."""
        return (await self._session.exec(select(FileRow).where(self._own).order_by(col(FileRow.id)))).all()

    async def count(self) -> int:
        """How many there are."""
        return (await self._session.exec(select(sa.func.count()).select_from(FileRow).where(self._own))).one()

    async def names_like(self, name: str) -> Sequence[str]:
        """The names that begin with ``name``."""
        statement = select(FileRow.name).where(self._own, col(FileRow.name).startswith(name, autoescape=True))
        return (await self._session.exec(statement)).all()

    async def delete(self, file_ids: Collection[uuid.UUID] | None) -> Sequence[FileRow]:
        """Delete those of the files that are the user's, or all of them; what was deleted."""
        rows = await self.all() if file_ids is None else await self.many(file_ids)
        statement = sa.delete(FileRow).where(self._own, col(FileRow.id).in_([row.id for row in rows]))
        await self._session.exec(statement.execution_options(synchronize_session=False))
        return rows

    @property
    def _own(self) -> sa.ColumnElement[bool]:
        return col(FileRow.user_id) == self._user_id
