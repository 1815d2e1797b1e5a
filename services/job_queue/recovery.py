"""Ends what dead processes left behind, and deletes what is old."""

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import JobRow, utc_now
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.job_queue.live import INTERRUPTED
from bedplate.services.job_queue.models import JobEvent, JobStatus
from bedplate.services.job_queue.segments import encode_events
from bedplate.services.logs import get_logger

__all__ = ["delete_old_jobs", "end_orphans"]

_BATCH: Final = 200

_log = get_logger("bedplate.job_queue")


async def end_orphans(database: DatabaseService, own_instance: uuid.UUID) -> int:
    """Mark the unfinished jobs of every expired lease as interrupted and close their logs; returns how many.

    The instance goes in the same transaction as its jobs, or an earlier one: should its process not be dead after
    all, it finds its lease gone and writes nothing more. The process that calls this lives, however late it is with
    renewing its own lease.
    """
    ended = 0
    while True:
        async with database.transaction() as session:
            repository = JobRepository(session)
            await repository.delete_expired_instances(utc_now(), own_instance)
            orphans = await repository.orphans(_BATCH)
            if orphans:
                await _end(repository, orphans)
        ended += len(orphans)
        if len(orphans) < _BATCH:
            break
    if ended:
        _log.warning("jobs of dead processes were marked as interrupted", jobs=ended)
    return ended


async def delete_old_jobs(database: DatabaseService, retention: float) -> int:
    """Delete jobs that ended longer than ``retention`` seconds ago, with their logs; returns how many."""
    deleted = 0
    while True:
        async with database.transaction() as session:
            count = await JobRepository(session).delete_finished_before(
                utc_now() - timedelta(seconds=retention), _BATCH
            )
        deleted += count
        if count < _BATCH:
            return deleted


async def _end(repository: JobRepository, orphans: Sequence[JobRow]) -> None:
    payload = msgspec.json.encode(INTERRUPTED)
    events, updates = [], []
    for row in orphans:
        # After every id that the dead process may have shown to a reader without having committed it.
        event = JobEvent(id=row.reserved_event_id + 1, type="error", payload=payload, time=time.time())
        events += encode_events(row.id, [event])
        updates.append(
            {
                "job_id": row.id,
                "status": JobStatus.INTERRUPTED.value,
                "error": INTERRUPTED["error"],
                "started_at": row.started_at,
                "finished_at": event.created_at,
                "last_event_id": event.id,
            }
        )
    await repository.insert_events(events)
    await repository.update_jobs(updates)
