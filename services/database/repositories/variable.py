"""Queries over variables and their earlier values, for the variable service; every one is bound to the owner."""

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, VariableRow, VariableVersionRow, metadata, new_id
from bedplate.services.database.violations import violations

__all__ = ["VariableRepository"]

_ALWAYS = ("name", "default_fields", "version", "updated_at")
_WITH_VALUE = ("type", "value", "key_id")
_table = metadata.tables[f"{PREFIX}variable"]
_versions = metadata.tables[f"{PREFIX}variable_version"]
_NAMED = sa.select(_table.c.id, _table.c.name, _table.c.type, _table.c.value).where(
    _table.c.user_id == sa.bindparam("owner"), _table.c.name.in_(sa.bindparam("names", expanding=True))
)


class VariableRepository:
    """Variables of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: VariableRow) -> None:
        """Insert a variable.

        Raises:
            UniqueViolationError: The user has one of this name.
        """
        with violations():
            self._session.add(row)
            await self._session.flush()

    async def get(self, key: str | uuid.UUID) -> VariableRow | None:
        """The variable of this name or id."""
        return (await self._session.exec(select(VariableRow).where(*self._is(key)))).one_or_none()

    async def named(self, names: Sequence[str]) -> Sequence[Any]:
        """Id, name, type and value of those of the names that there are."""
        connection = await self._session.connection()
        return (await connection.execute(_NAMED, {"owner": self._user_id, "names": list(names)})).all()

    async def all(self) -> Sequence[VariableRow]:
        """All of them, oldest first."""
        statement = select(VariableRow).where(col(VariableRow.user_id) == self._user_id).order_by(col(VariableRow.id))
        return (await self._session.exec(statement)).all()

    async def count(self) -> int:
        """How many there are."""
        statement = select(sa.func.count()).select_from(VariableRow).where(col(VariableRow.user_id) == self._user_id)
        return (await self._session.exec(statement)).one()

    async def replace(self, row: VariableRow, version: int, *, value: bool) -> bool:
        """Write the row over the one of its id if that has ``version``; whether it had.

        Args:
            row: The row.
            version: The version that it replaces.
            value: Whether its value and type are new; if not, they are left alone, whatever key they have by now.

        Raises:
            UniqueViolationError: Another one has the new name.
        """
        names = _ALWAYS + (_WITH_VALUE if value else ())
        statement = (
            sa.update(VariableRow)
            .where(*self._is(row.id), col(VariableRow.version) == version)
            .values({name: getattr(row, name) for name in names})
            .execution_options(synchronize_session=False)
        )
        with violations():
            return (await self._session.exec(statement)).rowcount == 1

    async def delete(self, key: str | uuid.UUID) -> uuid.UUID | None:
        """Delete the variable of this name or id; its id."""
        statement = sa.delete(VariableRow).where(*self._is(key)).returning(col(VariableRow.id))
        return (await self._session.exec(statement)).scalar_one_or_none()

    async def delete_all(self) -> int:
        """Delete all of them; how many there were."""
        statement = sa.delete(VariableRow).where(col(VariableRow.user_id) == self._user_id)
        return (await self._session.exec(statement)).rowcount

    async def keep(self, variable_id: uuid.UUID, version: int) -> None:
        """Copy the value of a variable, if it has this version, among its earlier ones."""
        current = sa.select(
            sa.literal(new_id(), sa.Uuid),
            _table.c.id,
            *(_table.c[name] for name in ("user_id", "version", "value", "type", "key_id", "updated_at")),
        ).where(_table.c.id == variable_id, _table.c.user_id == self._user_id, _table.c.version == version)
        names = ("id", "variable_id", "user_id", "version", "value", "type", "key_id", "created_at")
        connection = await self._session.connection()
        await connection.execute(sa.insert(_versions).from_select(names, current))

    async def versions(self, variable_id: uuid.UUID) -> Sequence[VariableVersionRow]:
        """The earlier values of a variable, latest first."""
        statement = select(VariableVersionRow).where(*self._of(variable_id))
        return (await self._session.exec(statement.order_by(col(VariableVersionRow.version).desc()))).all()

    async def trim(self, variable_id: uuid.UUID, kept: int) -> None:
        """Delete all but the latest earlier values of a variable."""
        over = (
            sa.select(_versions.c.id)
            .where(_versions.c.variable_id == variable_id, _versions.c.user_id == self._user_id)
            .order_by(_versions.c.version.desc())
            .offset(kept)
        )
        connection = await self._session.connection()
        await connection.execute(sa.delete(_versions).where(_versions.c.id.in_(over)))

    def _is(self, key: str | uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
        column = col(VariableRow.id) if isinstance(key, uuid.UUID) else col(VariableRow.name)
        return (col(VariableRow.user_id) == self._user_id, column == key)

    def _of(self, variable_id: uuid.UUID) -> tuple[sa.ColumnElement[bool], ...]:
        owner = col(VariableVersionRow.user_id) == self._user_id
        return (owner, col(VariableVersionRow.variable_id) == variable_id)
