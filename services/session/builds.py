"""Builds and transactions: what each vertex of a run received and gave."""

import builtins
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import TransactionRow, VertexBuildRow, new_id, utc_now
from bedplate.services.database.repositories.build import BuildRepository
from bedplate.services.database.repositories.flow import FlowRepository
from bedplate.services.database.retention import BATCH, Retention, delete_old
from bedplate.services.engines.redactor import Redactor
from bedplate.services.session.build_models import Build, NewBuild, NewTransaction, Transaction
from bedplate.services.session.errors import FlowNotFoundError
from bedplate.services.session.models import Page
from bedplate.services.settings.groups.session import SessionSettings
from bedplate.services.telemetry import TelemetryService

__all__ = ["Builds"]


class Builds:
    """The builds and transactions of every flow; each method sees those of one flow of one user.

    Args:
        database: Where they are kept.
        redactor: Masks secrets before anything is kept.
        settings: How many are kept.
        telemetry: Counts what retention drops.
    """

    def __init__(
        self, database: DatabaseService, redactor: Redactor, settings: SessionSettings, telemetry: TelemetryService
    ) -> None:
        self._database = database
        self._redactor = redactor
        self._settings = settings
        self._dropped = telemetry.meter.counter(
            "bedplate_session_records_dropped_total",
            "Builds and transactions over the retention caps.",
            labels=("kind",),
        )

    async def record(
        self,
        user_id: uuid.UUID,
        flow_id: uuid.UUID,
        *,
        run_id: uuid.UUID | None = None,
        builds: Sequence[NewBuild] = (),
        transactions: Sequence[NewTransaction] = (),
    ) -> None:
        """Keep what vertices of a run gave, all or nothing, secrets masked; the oldest over the caps are deleted.

        Raises:
            FlowNotFoundError: The flow is not the user's, or was deleted while it ran.
        """
        now = utc_now()
        build_rows = [self._row(build, now, run_id, "build_id") for build in builds]
        transaction_rows = [self._row(transaction, now, run_id, "id") for transaction in transactions]
        caps = self._settings
        async with self._database.transaction() as session:
            await _require_flow(FlowRepository(session, user_id), flow_id)
            records = BuildRepository(session, user_id, flow_id)
            await records.add(build_rows, transaction_rows)
            dropped_builds = dropped_transactions = 0
            if build_rows:
                dropped_builds = await records.trim_builds(
                    {build.id for build in builds},
                    per_vertex=caps.max_builds_per_vertex,
                    per_flow=caps.max_builds_per_flow,
                )
            if transaction_rows:
                dropped_transactions = await records.trim_transactions(caps.max_transactions_per_flow)
        self._dropped.add(dropped_builds, kind="build")
        self._dropped.add(dropped_transactions, kind="transaction")

    async def delete_old(self, *, limit: int = BATCH) -> int:
        """Delete one batch of builds and transactions of anyone beyond ``record_retention``; how many there were."""
        seconds = self._settings.record_retention
        kept = (
            Retention(model=VertexBuildRow, time="timestamp", id="build_id", seconds=seconds),
            Retention(model=TransactionRow, time="timestamp", seconds=seconds),
        )
        return sum((await delete_old(self._database, kept, limit=limit)).values())

    async def list(self, user_id: uuid.UUID, flow_id: uuid.UUID) -> dict[str, builtins.list[Build]]:
        """The kept builds of a flow by vertex, the oldest first.

        Raises:
            FlowNotFoundError: The flow is not the user's.
        """
        async with self._database.session() as session:
            await _require_flow(FlowRepository(session, user_id), flow_id)
            rows = await BuildRepository(session, user_id, flow_id).builds(self._settings.max_builds_per_flow)
        by_vertex: dict[str, builtins.list[Build]] = {}
        for row in rows:
            by_vertex.setdefault(row.id, []).append(msgspec.convert(row, Build, from_attributes=True))
        return by_vertex

    async def transactions(
        self, user_id: uuid.UUID, flow_id: uuid.UUID, *, page: int = 1, size: int = 50
    ) -> Page[Transaction]:
        """One page of the kept transactions of a flow, the newest first.

        Raises:
            FlowNotFoundError: The flow is not the user's.
        """
        async with self._database.session() as session:
            await _require_flow(FlowRepository(session, user_id), flow_id)
            records = BuildRepository(session, user_id, flow_id)
            rows = await records.transactions(offset=(page - 1) * size, limit=size)
            total = await records.count_transactions()
        items = tuple(msgspec.convert(row, Transaction, from_attributes=True) for row in rows)
        return Page(items=items, total=total, page=page, size=size)

    async def delete(self, user_id: uuid.UUID, flow_id: uuid.UUID) -> None:
        """Delete all builds of a flow.

        Raises:
            FlowNotFoundError: The flow is not the user's.
        """
        async with self._database.transaction() as session:
            await _require_flow(FlowRepository(session, user_id), flow_id)
            await BuildRepository(session, user_id, flow_id).delete()

    def _row(
        self, record: NewBuild | NewTransaction, now: datetime, run_id: uuid.UUID | None, key: str
    ) -> dict[str, Any]:
        values: dict[str, Any] = self._redactor.value(msgspec.structs.asdict(record))
        return values | {key: new_id(), "run_id": run_id, "timestamp": now}


async def _require_flow(flows: FlowRepository, flow_id: uuid.UUID) -> None:
    if await flows.missing([flow_id]):
        raise FlowNotFoundError
