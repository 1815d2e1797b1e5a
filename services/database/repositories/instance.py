"""Queries over the running processes and their leases, for the services that hold work under one."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import PREFIX, metadata

__all__ = ["InstanceRepository"]

_INSTANCES = metadata.tables[f"{PREFIX}instance"]


class InstanceRepository:
    """Rows of instances: each lives while its lease is renewed."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def insert_instance(self, instance_id: uuid.UUID, started_at: datetime, expires_at: datetime) -> None:
        """Add an instance."""
        await self._execute(
            sa.insert(_INSTANCES),
            [{"id": instance_id, "started_at": started_at, "lease_expires_at": expires_at}],
        )

    async def renew_lease(self, instance_id: uuid.UUID, expires_at: datetime) -> bool:
        """Move the end of an instance's lease; False if the instance has been removed."""
        result = await self._execute(
            sa.update(_INSTANCES).where(_INSTANCES.c.id == instance_id).values(lease_expires_at=expires_at)
        )
        return result.rowcount == 1

    async def next_expiry(self, but: uuid.UUID) -> datetime | None:
        """When the first lease ends that is not that of ``but``; None when there is no other."""
        ends = sa.select(_INSTANCES.c.lease_expires_at).where(_INSTANCES.c.id != but)
        first: datetime | None = (
            await self._execute(ends.order_by(_INSTANCES.c.lease_expires_at).limit(1))
        ).scalar_one_or_none()
        return first

    async def delete_instance(self, instance_id: uuid.UUID) -> None:
        """Remove an instance."""
        await self._execute(sa.delete(_INSTANCES).where(_INSTANCES.c.id == instance_id))

    async def delete_expired_instances(self, now: datetime, keep: uuid.UUID) -> None:
        """Remove every instance whose lease has ended, but not ``keep``."""
        await self._execute(sa.delete(_INSTANCES).where(_INSTANCES.c.lease_expires_at < now, _INSTANCES.c.id != keep))

    async def _execute(self, statement: Any, rows: Sequence[dict[str, Any]] | None = None) -> sa.CursorResult[Any]:
        connection = await self._session.connection()
        result: sa.CursorResult[Any] = await connection.execute(statement, rows)
        return result
