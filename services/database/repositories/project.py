"""Queries over projects, which the tables call folders; every one is bound to the owner."""

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from bedplate.services.database.models import FolderRow

__all__ = ["ProjectRepository"]


class ProjectRepository:
    """Projects of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: FolderRow) -> FolderRow:
        """Insert a project."""
        self._session.add(row)
        await self._session.flush()
        return row

    async def get(self, project_id: uuid.UUID) -> FolderRow | None:
        """The project, if it is the user's."""
        return (await self._session.exec(self._own().where(col(FolderRow.id) == project_id))).one_or_none()

    async def by_name(self, name: str) -> FolderRow | None:
        """The project with this name."""
        return (await self._session.exec(self._own().where(col(FolderRow.name) == name))).one_or_none()

    async def names_like(self, name: str) -> list[str]:
        """The names that begin with ``name``."""
        statement = select(FolderRow.name).where(
            col(FolderRow.user_id) == self._user_id, col(FolderRow.name).startswith(name, autoescape=True)
        )
        return list((await self._session.exec(statement)).all())

    async def all(self) -> Sequence[FolderRow]:
        """All projects of the user, oldest first."""
        return (await self._session.exec(self._own().order_by(col(FolderRow.created_at), col(FolderRow.id)))).all()

    async def delete(self, project_id: uuid.UUID) -> bool:
        """Delete a project with its flows; return whether it was the user's."""
        mine = (col(FolderRow.user_id) == self._user_id, col(FolderRow.id) == project_id)
        return (await self._session.exec(sa.delete(FolderRow).where(*mine))).rowcount == 1

    def _own(self) -> SelectOfScalar[FolderRow]:
        return select(FolderRow).where(col(FolderRow.user_id) == self._user_id)
