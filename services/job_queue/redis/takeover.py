"""Ends the jobs of dead processes with all that they had published."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import JobRow
from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.job_queue.models import JobEvent
from bedplate.services.job_queue.recovery import Remainders, end_orphans
from bedplate.services.job_queue.redis.publisher import LINGER
from bedplate.services.job_queue.redis.streams import Addition, Streams
from bedplate.services.job_queue.segments import pack_events
from bedplate.services.logs import get_logger

__all__ = ["Takeover"]

_RUNS: Final = 64
_FENCE_TTL: Final = 24 * 3600

_log = get_logger("bedplate.job_queue")


class Takeover:
    """Marks jobs of expired leases as interrupted: what their streams hold goes to the database first.

    A stream is fenced before it is read, so that a process that is not dead after all adds nothing that would be
    missing in the database. While Redis does not work the jobs wait, for ``patience`` at most: a reader must be told
    of the end even when what has been published is lost.

    Args:
        streams: Redis.
        database: Where jobs and leases are.
        patience: Seconds for which Redis may fail before jobs are ended without their streams.
    """

    def __init__(self, streams: Streams, database: DatabaseService, patience: float) -> None:
        self._streams = streams
        self._database = database
        self._patience = patience
        self._failing_since: float | None = None

    async def run(self, own_instance: uuid.UUID) -> int:
        """End the orphans; returns how many."""
        return await end_orphans(self._database, own_instance, remainders=self._remainders, told=self._tell)

    async def _remainders(self, orphans: Sequence[JobRow]) -> Remainders:
        try:
            found = {row.id: await self._seal(row) for row in orphans}
        except RedisUnavailableError as error:
            now = asyncio.get_running_loop().time()
            if self._failing_since is None:
                self._failing_since = now
            if now < self._failing_since + self._patience:
                _log.warning("jobs of dead processes wait for Redis", jobs=len(orphans), error=error.code)
                return {}
            return {row.id: () for row in orphans}
        self._failing_since = None
        return found

    async def _seal(self, row: JobRow) -> list[JobEvent]:
        await self._streams.fence(row.id, row.reserved_event_id, _FENCE_TTL)
        events: list[JobEvent] = []
        while more := await self._streams.read(row.id, events[-1].id if events else 0, _RUNS):
            events += more
        return [event for event in events if event.id <= row.reserved_event_id]

    async def _tell(self, ended: Sequence[tuple[JobRow, JobEvent]]) -> None:
        additions = [
            Addition(
                job_id=row.id,
                expected=f"{row.reserved_event_id}-1",
                last=last.id,
                packed=pack_events([last]),
                ttl=LINGER,
            )
            for row, last in ended
        ]
        try:
            await self._streams.append(additions)
        except RedisUnavailableError as error:
            _log.warning("readers elsewhere learn from the database that jobs have ended", error=error.code)
