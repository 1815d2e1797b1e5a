"""How the jobs of this process are seen by others, and those of others by this one."""

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, ClassVar, Self

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.job_queue.archive import Archive
from bedplate.services.job_queue.errors import JobElsewhereError
from bedplate.services.job_queue.history import History
from bedplate.services.job_queue.live import EndReason, LiveJob
from bedplate.services.job_queue.log import EventLog
from bedplate.services.job_queue.models import Job, JobEvent
from bedplate.services.job_queue.polling import PollCursors
from bedplate.services.job_queue.recovery import end_orphans
from bedplate.services.job_queue.registry import LiveJobs
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["Relay", "RelayHost"]


class RelayHost(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay is given of the process that it works for.

    Attributes:
        archive: Where jobs and events are written.
        jobs: The jobs of this process.
        end: Asks one of them to end.
    """

    archive: Archive
    jobs: LiveJobs
    end: Callable[[LiveJob, EndReason], None]


class Relay:
    """By the database alone: other processes read what has been committed there, and cannot cancel.

    Args:
        settings: The settings service; its group is ``job_queue``.
        telemetry: For the metrics.
        database: Where jobs and events are kept.

    Attributes:
        backend: The name of the backend.
        log_type: What the log of a job of this process is made of.
        cursors: Up to where jobs have been polled.
    """

    backend: ClassVar[str] = "memory"
    log_type: ClassVar[type[EventLog[LiveJob]]] = EventLog

    def __init__(self, settings: SettingsService, telemetry: TelemetryService, database: DatabaseService) -> None:
        self._settings = settings.values.job_queue
        self._telemetry = telemetry
        self._database = database
        self._history = History(database, self._settings.follow_interval)
        self._host: RelayHost | None = None
        self.cursors: PollCursors = PollCursors(self._settings.max_cursors)

    @classmethod
    def from_settings(
        cls, settings: SettingsService, telemetry: TelemetryService, database: DatabaseService, **engines: Any
    ) -> Self:
        """Make it from the settings and the engines that its backend needs."""
        return cls(settings, telemetry, database, **engines)

    async def start(self, host: RelayHost) -> None:
        """Begin to work for a process."""
        self._host = host

    async def stop(self) -> None:
        """End; what can be told to others in short time is told."""
        self._host = None

    def require(self) -> None:
        """Raise if no job could be told of now.

        Raises:
            UnavailableError: A server that it needs does not work.
        """

    def appended(self, live: LiveJob, urgent: bool) -> None:
        """Note that something was appended to the log of a job."""
        if self._host is not None:
            self._host.archive.note(live, urgent)

    def shown(self, live: LiveJob) -> None:
        """Note that readers here can see the last event of a job."""

    async def settle(self, live: LiveJob) -> None:
        """Return when what has been appended so far is seen by readers here, or will not be for a while."""

    def superseded(self, live: LiveJob, reserved: int) -> None:
        """Note that another process took this one for dead, and ended the job; ids up to ``reserved`` were ours."""
        live.supersede(reserved + 1)

    def here(self, live: LiveJob, after: int) -> AsyncGenerator[JobEvent, None]:
        """All events of a job of this process, as they come, until the last."""
        return live.log.read(after)

    def read(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> AsyncGenerator[JobEvent, None]:
        """All events of a job that is not of this process, as they come, until the last.

        Raises:
            JobNotFoundError: There is no such job, or it has been deleted.
        """
        return self._history.read(user_id, job_id, after)

    async def wait(self, user_id: uuid.UUID, job_id: uuid.UUID, after: int) -> Sequence[JobEvent]:
        """Some events of a job that is not of this process; none if there never will be any.

        Raises:
            JobNotFoundError: There is no such job, or it has been deleted.
        """
        return await self._history.wait(user_id, job_id, after)

    async def cancel(self, user_id: uuid.UUID, job: Job) -> Job:
        """Cancel a job that another process runs, and wait until it has ended; return what it then is.

        Raises:
            JobElsewhereError: It cannot be reached from here, or does not answer.
        """
        raise JobElsewhereError(job.id)

    async def deleted(self, user_id: uuid.UUID, job_id: uuid.UUID, runner: uuid.UUID | None) -> None:
        """Forget a job that has been deleted, here and in the process that ran it."""
        self.cursors.forget(user_id, job_id)

    async def recover(self, archive: Archive) -> int:
        """Mark the unfinished jobs of every expired lease as interrupted and close their logs; returns how many."""
        return await end_orphans(self._database, archive.instance_id)
