"""Where rows are carried to: one transaction of the database of Bedplate."""

import uuid
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models.base import Table
from bedplate.services.settings import Settings
from bedplate.wiring.langflow.errors import UnusableError
from bedplate.wiring.langflow.owners import Owners
from bedplate.wiring.langflow.report import ImportReport

__all__ = ["CHUNK", "Target"]

CHUNK = 500
"""Rows that are looked up and inserted together."""


class Target(NamedTuple):
    """What the import of every table works with.

    Attributes:
        session: The transaction that everything is stored in.
        settings: The limits that apply here.
        report: What became of every row.
        owners: The users here, by the ids of those there.
        flows: The owners of the flows that are here, by id; filled by the import of flows.
        inserted: A row that was inserted, by which to tell whether the transaction was committed; none or one.
    """

    session: AsyncSession
    settings: Settings
    report: ImportReport
    owners: Owners
    flows: dict[uuid.UUID, uuid.UUID]
    inserted: list[Table]

    async def owned(self, model: type[Table], ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
        """The owners of those rows of the ids that are here."""
        columns = sa.inspect(model).columns
        selected = sa.select(columns["id"], columns["user_id"]).where(columns["id"].in_(list(ids)))
        found = await (await self.session.connection()).execute(selected)
        return {row[0]: row[1] for row in found}

    async def is_here(self, model: type[Table], key: uuid.UUID, owner: uuid.UUID) -> bool:
        """Whether the row is here already.

        Raises:
            UnusableError: One of this id is, and it is somebody else's.
        """
        found = (await self.owned(model, [key])).get(key)
        if found is not None and found != owner:
            raise UnusableError("its id is taken by a row of another user")
        return found is not None

    async def insert(self, rows: Sequence[Table]) -> None:
        """Insert rows of one model at once."""
        if rows:
            self.inserted[:] = rows[:1]
            connection = await self.session.connection()
            await connection.execute(sa.insert(type(rows[0])), [row.model_dump() for row in rows])
