"""What a process does beside its jobs: it forgets what is over, and ends what dead processes left behind."""

import asyncio

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.job_queue import JobRepository
from bedplate.services.job_queue.archive import Archive
from bedplate.services.job_queue.registry import LiveJobs
from bedplate.services.job_queue.relay import Relay
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.job_queue import JobQueueSettings

__all__ = ["Maintenance"]

_log = get_logger("bedplate.job_queue")


class Maintenance:
    """Looks after the jobs of this process, and after those of processes that are dead.

    Args:
        settings: How often.
        database: Where leases are.
        jobs: Those of this process.
        relay: Ends what others left behind.
    """

    def __init__(self, settings: JobQueueSettings, database: DatabaseService, jobs: LiveJobs, relay: Relay) -> None:
        self._settings = settings
        self._database = database
        self._jobs = jobs
        self._relay = relay

    async def run(self, archive: Archive) -> None:
        """Look again and again, with the lease of this archive, until cancelled."""
        while True:
            await asyncio.sleep(await self.next_look(archive))
            self._jobs.sweep()
            if not self._settings.recover:
                continue
            try:
                await self._relay.recover(archive)
            except Exception as error:
                _log.warning("jobs could not be maintained", error=type(error).__name__)

    async def next_look(self, archive: Archive) -> float:
        """Seconds until the next look for dead processes: when the first lease ends, or a third of one passed."""
        most = self._settings.lease_ttl / 3
        if not self._settings.recover:
            return most
        try:
            async with self._database.session() as session:
                ends = await JobRepository(session).next_expiry(archive.instance_id)
        except Exception as error:
            _log.warning("leases could not be read", error=type(error).__name__)
            return most
        if ends is None:
            return most
        return min(max((ends - utc_now()).total_seconds(), most / 10), most)
