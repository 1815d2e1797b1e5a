"""Runs and steps as they are read back."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.cursor import decode_cursor, encode_cursor
from bedplate.services.database.repositories.tracing import TracingRepository, latest_of_all
from bedplate.services.errors import InvalidInputError
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.tracing.errors import TraceNotFoundError
from bedplate.services.tracing.models import SpanKind, SpanNode, Status, TokenUsage, Trace, TracePage, TraceTree
from bedplate.services.tracing.tree import tree_of

__all__ = ["MAX_PAGE", "TraceReader"]

MAX_PAGE = 200
"""Most runs of a page."""


class TraceReader:
    """Reads runs of one user at a time.

    Args:
        database: Where they are.
        settings: After how long a run is taken for interrupted, and how many spans it has at most.
        is_active: Whether a run is going on in this process.
    """

    def __init__(
        self, database: DatabaseService, settings: TracingSettings, is_active: Callable[[uuid.UUID], bool]
    ) -> None:
        self._database = database
        self._settings = settings
        self._is_active = is_active

    async def runs(
        self,
        user_id: uuid.UUID,
        *,
        flow_id: uuid.UUID | None,
        session_id: str | None,
        limit: int,
        cursor: str | None,
    ) -> TracePage:
        """A page of runs, latest first."""
        before = _before(limit, cursor)
        async with self._database.session() as session:
            rows = await TracingRepository(session, user_id).latest(
                flow_id=flow_id, session_id=session_id, before=before, limit=limit + 1
            )
        return self._page(rows, limit)

    async def runs_of_all(self, *, failed: bool, limit: int, cursor: str | None) -> TracePage:
        """A page of runs of all users, latest first."""
        before = _before(limit, cursor)
        async with self._database.session() as session:
            rows = await latest_of_all(session, failed=failed, before=before, limit=limit + 1)
        return self._page(rows, limit)

    def _page(self, rows: Sequence[Any], limit: int) -> TracePage:
        page = rows[:limit]
        last = encode_cursor(page[-1].started_at, page[-1].id) if len(rows) > limit else None
        return TracePage(items=tuple(self._trace(row) for row in page), next_cursor=last)

    async def get(self, user_id: uuid.UUID, run_id: uuid.UUID) -> Trace:
        """One run."""
        async with self._database.session() as session:
            row = await TracingRepository(session, user_id).get(run_id)
        if row is None:
            raise TraceNotFoundError
        return self._trace(row, row.inputs, row.outputs)

    async def tree(self, user_id: uuid.UUID, run_id: uuid.UUID) -> TraceTree:
        """One run with its steps."""
        async with self._database.session() as session:
            repository = TracingRepository(session, user_id)
            row = await repository.get(run_id)
            rows = await repository.spans(run_id, self._settings.max_spans_per_run)
        if row is None:
            raise TraceNotFoundError
        trace = self._trace(row, row.inputs, row.outputs)
        return TraceTree(trace=trace, spans=tree_of([(_span(span, trace.status), span.parent_id) for span in rows]))

    def _trace(self, row: Any, inputs: Any = None, outputs: Any = None) -> Trace:
        return Trace(
            id=row.id,
            user_id=row.user_id,
            flow_id=row.flow_id,
            session_id=row.session_id,
            name=row.name,
            status=self._status(row.id, Status(row.status), row.updated_at),
            error=row.error,
            inputs=inputs,
            outputs=outputs,
            metadata=row.attributes,
            usage=TokenUsage(input_tokens=row.prompt_tokens, output_tokens=row.completion_tokens),
            started_at=row.started_at,
            ended_at=row.ended_at,
        )

    def _status(self, run_id: uuid.UUID, stored: Status, last_sign: datetime) -> Status:
        silent = utc_now() - last_sign > timedelta(seconds=self._settings.interrupted_after)
        return Status.INTERRUPTED if stored is Status.RUNNING and silent and not self._is_active(run_id) else stored


def _before(limit: int, cursor: str | None) -> tuple[datetime, uuid.UUID] | None:
    """Where a page begins."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInputError(
            f"a page has between 1 and {MAX_PAGE} runs", service=ServiceType.TRACING, fix="change the limit"
        )
    return decode_cursor(cursor, service=ServiceType.TRACING) if cursor else None


def _span(row: Any, run: Status) -> SpanNode:
    status = Status(row.status)
    # The end of a step is written before that of its run: one that is still open lost its end with the process.
    lost = status is Status.RUNNING and run is not Status.RUNNING
    return SpanNode(
        id=row.id,
        key=row.key,
        name=row.name,
        kind=SpanKind(row.kind),
        status=Status.INTERRUPTED if lost else status,
        error=row.error,
        inputs=row.inputs,
        outputs=row.outputs,
        logs=row.logs,
        metadata=row.attributes,
        usage=TokenUsage(input_tokens=row.prompt_tokens, output_tokens=row.completion_tokens),
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
