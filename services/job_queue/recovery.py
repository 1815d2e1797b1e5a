"""Ends what dead processes left behind, and deletes what is old."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import JobRow, utc_now
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.job_queue.live import INTERRUPTED
from bedplate.services.job_queue.models import JobEvent, JobStatus
from bedplate.services.job_queue.segments import encode_events
from bedplate.services.logs import get_logger

__all__ = ["Remainders", "delete_old_jobs", "end_orphans"]

_BATCH: Final = 200

_log = get_logger("bedplate.job_queue")


Remainders = Mapping[uuid.UUID, Sequence[JobEvent]]
"""By job, the events that are not in the database yet; a job that is not in it is left as it is for now."""


async def end_orphans(
    database: DatabaseService,
    own_instance: uuid.UUID,
    *,
    remainders: Callable[[Sequence[JobRow]], Awaitable[Remainders]] | None = None,
    told: Callable[[Sequence[tuple[JobRow, JobEvent]]], Awaitable[None]] | None = None,
) -> int:
    """Mark the unfinished jobs of every expired lease as interrupted and close their logs; returns how many.

    The instance goes before its jobs: should its process not be dead after all, it finds its lease gone and writes
    nothing more. The process that calls this lives, however late it is with renewing its own lease.

    Args:
        database: Where jobs and leases are.
        own_instance: The lease of this process.
        remainders: Finds what the logs of jobs have elsewhere, and sees to it that no more is written there.
        told: Called with the jobs that have been ended, and the last event of each.
    """
    ended = 0
    while True:
        async with database.transaction() as session:
            repository = JobRepository(session)
            await repository.delete_expired_instances(utc_now(), own_instance)
            orphans = await repository.orphans(_BATCH)
            left: Remainders = {row.id: () for row in orphans} if remainders is None else {}
            done = await _end(repository, orphans, left)
        if orphans and remainders is not None:
            left = await remainders(orphans)
            async with database.transaction() as session:
                done = await _end(JobRepository(session), orphans, left)
        if done and told is not None:
            await told(done)
        ended += len(done)
        if len(orphans) < _BATCH or not done:
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


async def _end(
    repository: JobRepository, orphans: Sequence[JobRow], remainders: Remainders
) -> list[tuple[JobRow, JobEvent]]:
    wanted = [row.id for row in orphans if row.id in remainders]
    open_jobs = await repository.unfinished(wanted, lock=True) if wanted else set()
    stored = await repository.progress(list(open_jobs)) if open_jobs else {}
    payload = msgspec.json.encode(INTERRUPTED)
    ended = []
    for row in orphans:
        if row.id in open_jobs:
            # After every id that the dead process may have shown to a reader without having committed it.
            last = JobEvent(id=row.reserved_event_id + 1, type="error", payload=payload, time=time.time())
            ended.append((row, last))
    events = [
        encoded
        for row, last in ended
        for encoded in encode_events(row.id, [*_beyond(stored[row.id][1], remainders[row.id]), last])
    ]
    if ended:
        await repository.insert_events(events)
        await repository.update_jobs([_interrupted(row, last) for row, last in ended])
    return ended


def _beyond(stored: int, events: Sequence[JobEvent]) -> list[JobEvent]:
    return [event for event in events if event.id > stored]


def _interrupted(row: JobRow, last: JobEvent) -> dict[str, Any]:
    return {
        "job_id": row.id,
        "status": JobStatus.INTERRUPTED.value,
        "error": INTERRUPTED["error"],
        "started_at": row.started_at,
        "finished_at": last.created_at,
        "last_event_id": last.id,
    }
