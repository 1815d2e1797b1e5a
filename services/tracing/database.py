"""The native tracer: runs and steps in the database."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.tracing import TraceWriter
from bedplate.services.tracing.exporter import Exporter, Record, RunRecord, SpanRecord

__all__ = ["DatabaseExporter", "exporters"]


class DatabaseExporter:
    """Writes records to the tables of runs and spans, each batch in one transaction."""

    name = "database"
    is_read_back = True

    def __init__(self, database: DatabaseService) -> None:
        self._database = database

    async def export(self, records: Sequence[Record]) -> int:
        """See :class:`~bedplate.services.tracing.exporter.Exporter`.

        Refused are the runs of users who were deleted, and the spans of runs that are not there or not their owner's.
        """
        runs = [record for record in records if isinstance(record, RunRecord)]
        spans = [record for record in records if isinstance(record, SpanRecord)]
        async with self._database.transaction() as session:
            writer = TraceWriter(session)
            users = await writer.users({run.user_id for run in runs}) if runs else set()
            flows = await writer.flows({run.flow_id for run in runs if run.flow_id})
            kept_runs = [run for run in runs if run.user_id in users]
            now = utc_now()
            await writer.put_runs([_run_row(run, flows, now) for run in kept_runs])
            owners = await writer.owners({run.id for run in kept_runs} | {span.run_id for span in spans})
            kept_spans = [span for span in spans if owners.get(span.run_id) == span.user_id]
            await writer.put_spans([_span_row(span) for span in kept_spans])
        foreign = sum(owners.get(run.id) != run.user_id for run in kept_runs)
        return len(records) - len(kept_runs) - len(kept_spans) + foreign

    async def touch(self, run_ids: Sequence[uuid.UUID]) -> None:
        """See :class:`~bedplate.services.tracing.exporter.Exporter`."""
        async with self._database.transaction() as session:
            await TraceWriter(session).touch(run_ids, utc_now())


def exporters(database: DatabaseService) -> tuple[Exporter, ...]:
    """Return the exporters of the backend ``database``."""
    return (DatabaseExporter(database),)


def _row(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "status": record.status.value,
        "error": record.error,
        "inputs": record.inputs,
        "outputs": record.outputs,
        "attributes": record.metadata,
        "prompt_tokens": record.usage.input_tokens,
        "completion_tokens": record.usage.output_tokens,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
    }


def _run_row(run: RunRecord, flows: set[uuid.UUID], now: datetime) -> Mapping[str, Any]:
    return _row(run) | {
        "user_id": run.user_id,
        "flow_id": run.flow_id if run.flow_id in flows else None,
        "session_id": run.session_id,
        "updated_at": now,
    }


def _span_row(span: SpanRecord) -> Mapping[str, Any]:
    return _row(span) | {
        "trace_id": span.run_id,
        "parent_id": span.parent_id,
        "key": span.key,
        "kind": span.kind.value,
        "logs": span.logs,
    }
