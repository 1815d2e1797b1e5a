"""Queries over flows; every one is bound to the owner."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from bedplate.services.database.models import FlowRow
from bedplate.services.database.repositories.listing import Listing

__all__ = ["FLOWS", "FlowRepository"]

FLOWS = Listing(
    FlowRow,
    service="session",
    filters=("folder_id", "is_component", "access_type", "webhook"),
    searched=("name", "description"),
)
"""Flows of a user, by when they were made."""


class FlowRepository:
    """Flows of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: FlowRow) -> FlowRow:
        """Insert a flow."""
        self._session.add(row)
        await self._session.flush()
        return row

    async def get(self, flow_id: uuid.UUID) -> FlowRow | None:
        """The flow, if it is the user's."""
        return (await self._session.exec(self._own().where(col(FlowRow.id) == flow_id))).one_or_none()

    async def by_endpoint(self, endpoint_name: str) -> FlowRow | None:
        """The flow with this endpoint name."""
        return (await self._session.exec(self._own().where(col(FlowRow.endpoint_name) == endpoint_name))).one_or_none()

    async def id_exists(self, flow_id: uuid.UUID) -> bool:
        """Whether anyone has a flow with this id."""
        statement = select(FlowRow.id).where(col(FlowRow.id) == flow_id)
        return (await self._session.exec(statement)).first() is not None

    async def missing(self, flow_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are no flows of the user."""
        statement = select(FlowRow.id).where(col(FlowRow.user_id) == self._user_id, col(FlowRow.id).in_(list(flow_ids)))
        return set(flow_ids).difference((await self._session.exec(statement)).all())

    async def names_like(self, name: str) -> list[str]:
        """The names that begin with ``name``."""
        statement = select(FlowRow.name).where(
            col(FlowRow.user_id) == self._user_id, col(FlowRow.name).startswith(name, autoescape=True)
        )
        return list((await self._session.exec(statement)).all())

    async def endpoints_like(self, endpoint_name: str) -> list[str]:
        """The endpoint names that begin with ``endpoint_name``."""
        statement = select(FlowRow.endpoint_name).where(
            col(FlowRow.user_id) == self._user_id,
            col(FlowRow.endpoint_name).startswith(endpoint_name, autoescape=True),
        )
        return [name for name in (await self._session.exec(statement)).all() if name is not None]

    async def is_taken(self, column: str, value: str, *, but: uuid.UUID | None = None) -> bool:
        """Whether another flow than ``but`` has this name or endpoint name."""
        statement = select(FlowRow.id).where(
            col(FlowRow.user_id) == self._user_id, sa.inspect(FlowRow).columns[column] == value
        )
        return any(found != but for found in (await self._session.exec(statement)).all())

    async def matching(
        self,
        *,
        project_id: uuid.UUID | None,
        is_component: bool | None,
        search: str,
        with_data: bool = True,
        offset: int = 0,
        limit: int | None = None,
    ) -> Sequence[FlowRow]:
        """The flows that match, oldest first; without ``with_data``, only saved components have their data."""
        statement = select(FlowRow).where(*self._conditions(project_id, is_component, search))
        if not with_data:
            statement = statement.options(defer(FlowRow.data, raiseload=True))  # type: ignore[arg-type]  # a column
        statement = statement.order_by(col(FlowRow.created_at), col(FlowRow.id)).offset(offset).limit(limit)
        return (await self._session.exec(statement)).all()

    async def component_data(self, project_id: uuid.UUID | None, search: str) -> Mapping[uuid.UUID, Any]:
        """The data of the saved components that match, by id."""
        statement = select(FlowRow.id, FlowRow.data).where(*self._conditions(project_id, True, search))
        return dict((await self._session.exec(statement)).all())

    async def count(self, *, project_id: uuid.UUID | None, is_component: bool | None, search: str) -> int:
        """How many flows match."""
        conditions = self._conditions(project_id, is_component, search)
        return (await self._session.exec(select(sa.func.count()).select_from(FlowRow).where(*conditions))).one()

    async def delete(self, flow_ids: Collection[uuid.UUID]) -> int:
        """Delete those that are the user's; return how many were."""
        mine = (col(FlowRow.user_id) == self._user_id, col(FlowRow.id).in_(list(flow_ids)))
        return (await self._session.exec(sa.delete(FlowRow).where(*mine))).rowcount

    async def move(self, flow_ids: Collection[uuid.UUID], project_id: uuid.UUID, now: datetime) -> None:
        """Put flows of the user into a project."""
        await self._session.exec(
            sa.update(FlowRow)
            .where(col(FlowRow.user_id) == self._user_id, col(FlowRow.id).in_(list(flow_ids)))
            .values(folder_id=project_id, updated_at=now)
        )

    async def move_rest(self, project_id: uuid.UUID, kept: Collection[uuid.UUID], to: uuid.UUID, now: datetime) -> None:
        """Put the flows of a project, but those to be kept, into another one."""
        await self._session.exec(
            sa.update(FlowRow)
            .where(
                col(FlowRow.user_id) == self._user_id,
                col(FlowRow.folder_id) == project_id,
                col(FlowRow.id).not_in(list(kept)),
            )
            .values(folder_id=to, updated_at=now)
        )

    @staticmethod
    async def public(session: AsyncSession, flow_id: uuid.UUID) -> FlowRow | None:
        """The flow of anyone, if its owner made it public."""
        statement = select(FlowRow).where(col(FlowRow.id) == flow_id, col(FlowRow.access_type) == "PUBLIC")
        return (await session.exec(statement)).one_or_none()

    def _own(self) -> SelectOfScalar[FlowRow]:
        return select(FlowRow).where(col(FlowRow.user_id) == self._user_id)

    def _conditions(
        self, project_id: uuid.UUID | None, is_component: bool | None, search: str
    ) -> list[sa.ColumnElement[bool]]:
        conditions = [col(FlowRow.user_id) == self._user_id]
        if project_id is not None:
            conditions.append(col(FlowRow.folder_id) == project_id)
        if is_component is not None:
            conditions.append(col(FlowRow.is_component) == is_component)
        if search:
            conditions.append(col(FlowRow.name).icontains(search, autoescape=True))
        return conditions
