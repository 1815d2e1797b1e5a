"""Jobs whose submitters were told that they could not be stored: a commit without an answer may have stored them."""

import asyncio
import uuid
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.job_queue.live import LiveJob
from bedplate.services.logs import get_logger

__all__ = ["Refused"]

_MOST: Final = 10_000
_AT_ONCE: Final = 500

_log = get_logger("bedplate.job_queue")


class Refused:
    """Remembers them, and has them removed where they are nevertheless: nobody would run or end them.

    Args:
        database: Where they may be.
        patience: Seconds after which nothing that was under way comes through any more.
    """

    def __init__(self, database: DatabaseService, patience: float) -> None:
        self._database = database
        self._patience = patience
        self._jobs: dict[uuid.UUID, tuple[uuid.UUID, float]] = {}
        self._look_at = 0.0

    def add(self, live: LiveJob) -> None:
        """Remember a job."""
        self._jobs[live.id] = live.user_id, asyncio.get_running_loop().time() + self._patience
        self._look_at = 0.0
        if len(self._jobs) > _MOST:
            del self._jobs[next(iter(self._jobs))]

    async def withdraw(self) -> None:
        """Remove those that are in the database: at once, and again when what was under way has come through."""
        now = asyncio.get_running_loop().time()
        if not self._jobs or now < self._look_at:
            return
        for start in range(0, len(wanted := list(self._jobs.items())), _AT_ONCE):
            chunk = dict(wanted[start : start + _AT_ONCE])
            async with self._database.transaction() as session:
                repository = JobRepository(session)
                stored = await repository.progress(list(chunk))
                for job_id in stored:
                    await repository.delete(chunk[job_id][0], job_id)
            if stored:
                _log.warning("jobs that were refused were stored nevertheless, and are removed", jobs=len(stored))
            for job_id, (_, until) in chunk.items():
                if job_id in stored or until <= now:
                    del self._jobs[job_id]
        self._look_at = now + self._patience
