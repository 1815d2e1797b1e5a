"""Queries over vertex builds and transactions; every one is bound to the owner."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import TransactionRow, VertexBuildRow

__all__ = ["BuildRepository"]


class BuildRepository:
    """Builds and transactions of one flow of one user.

    Args:
        session: The session or transaction to work in.
        user_id: The owner.
        flow_id: The flow.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID, flow_id: uuid.UUID) -> None:
        self._session = session
        self._user_id = user_id
        self._flow_id = flow_id

    async def add(self, builds: Sequence[dict[str, Any]], transactions: Sequence[dict[str, Any]]) -> None:
        """Insert rows, given as their columns without owner and flow."""
        owner = {"user_id": self._user_id, "flow_id": self._flow_id}
        for table, rows in ((VertexBuildRow, builds), (TransactionRow, transactions)):
            if rows:
                await self._session.exec(sa.insert(table), params=[owner | row for row in rows])

    async def builds(self, limit: int) -> Sequence[VertexBuildRow]:
        """The newest builds, oldest first."""
        statement = (
            select(VertexBuildRow)
            .where(col(VertexBuildRow.user_id) == self._user_id, col(VertexBuildRow.flow_id) == self._flow_id)
            .order_by(col(VertexBuildRow.timestamp).desc(), col(VertexBuildRow.build_id).desc())
            .limit(limit)
        )
        return list(reversed((await self._session.exec(statement)).all()))

    async def transactions(self, *, offset: int, limit: int) -> Sequence[TransactionRow]:
        """Transactions, newest first."""
        statement = (
            select(TransactionRow)
            .where(col(TransactionRow.user_id) == self._user_id, col(TransactionRow.flow_id) == self._flow_id)
            .order_by(col(TransactionRow.timestamp).desc(), col(TransactionRow.id).desc())
            .offset(offset)
            .limit(limit)
        )
        return (await self._session.exec(statement)).all()

    async def count_transactions(self) -> int:
        """How many transactions there are."""
        statement = (
            select(sa.func.count())
            .select_from(TransactionRow)
            .where(col(TransactionRow.user_id) == self._user_id, col(TransactionRow.flow_id) == self._flow_id)
        )
        return (await self._session.exec(statement)).one()

    async def delete(self) -> None:
        """Delete all builds of the flow."""
        await self._session.exec(
            sa.delete(VertexBuildRow).where(
                col(VertexBuildRow.user_id) == self._user_id, col(VertexBuildRow.flow_id) == self._flow_id
            )
        )

    async def trim_builds(self, vertex_ids: Collection[str], *, per_vertex: int, per_flow: int) -> int:
        """Delete all but the newest builds of these vertices, then of the flow; return how many were deleted."""
        newest = (col(VertexBuildRow.timestamp).desc(), col(VertexBuildRow.build_id).desc())
        rank = sa.func.row_number().over(partition_by=col(VertexBuildRow.id), order_by=newest)
        mine = (col(VertexBuildRow.flow_id) == self._flow_id, col(VertexBuildRow.user_id) == self._user_id)
        of_vertices = (*mine, col(VertexBuildRow.id).in_(list(vertex_ids)))
        return await self._trim(VertexBuildRow.build_id, rank, of_vertices, per_vertex) + await self._trim(
            VertexBuildRow.build_id, sa.func.row_number().over(order_by=newest), mine, per_flow
        )

    async def trim_transactions(self, per_flow: int) -> int:
        """Delete all but the newest transactions of the flow; return how many were deleted."""
        newest = (col(TransactionRow.timestamp).desc(), col(TransactionRow.id).desc())
        mine = (col(TransactionRow.flow_id) == self._flow_id, col(TransactionRow.user_id) == self._user_id)
        return await self._trim(TransactionRow.id, sa.func.row_number().over(order_by=newest), mine, per_flow)

    async def _trim(
        self, key: uuid.UUID, rank: sa.ColumnElement[int], where: Sequence[sa.ColumnElement[bool]], kept: int
    ) -> int:
        """Delete the rows whose rank is above ``kept``; ``key`` is the column of their ids."""
        column = col(key)
        ranked = sa.select(column.label("key"), rank.label("rank")).where(*where).subquery()
        over = sa.select(ranked.c.key).where(ranked.c.rank > kept)
        return (await self._session.exec(sa.delete(column.class_).where(column.in_(over)))).rowcount  # type: ignore[attr-defined]
