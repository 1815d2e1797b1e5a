"""Queries over users of an issuer, for the auth service."""

import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import IdentityRow, UserRow
from bedplate.services.database.repositories.among import among
from bedplate.services.database.repositories.user import PUBLIC_COLUMNS

__all__ = ["IdentityRepository"]

_WITH_USER = (
    sa.select(*PUBLIC_COLUMNS, col(IdentityRow.id).label("identity_id"))
    .join(UserRow, col(UserRow.id) == col(IdentityRow.user_id))
    .where(col(IdentityRow.issuer) == sa.bindparam("issuer"), col(IdentityRow.subject) == sa.bindparam("subject"))
)


class IdentityRepository:
    """Users of an issuer in one session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def with_user(self, issuer: str, subject: str) -> Any:
        """One row of the user's public columns and identity_id; None unless somebody is known by this name."""
        connection = await self._session.connection()
        return (await connection.execute(_WITH_USER, {"issuer": issuer, "subject": subject})).first()

    async def alive(self, identity_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
        """Those of the identities that are known, and whose user is active."""
        query = (
            sa.select(col(IdentityRow.id))
            .join(UserRow, col(UserRow.id) == col(IdentityRow.user_id))
            .where(col(UserRow.is_active))
        )
        return await among(self._session, query, col(IdentityRow.id), identity_ids)

    async def add(self, row: IdentityRow) -> None:
        """Insert an identity."""
        self._session.add(row)
        await self._session.flush()
