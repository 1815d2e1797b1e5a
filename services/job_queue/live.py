"""A job of this process: its facts, its log, and the task that does the work."""

import asyncio
import contextvars
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from bedplate.services.database.models import new_id, utc_now
from bedplate.services.errors import BedplateError, with_fix
from bedplate.services.job_queue.log_host import LogHost
from bedplate.services.job_queue.models import TERMINAL_EVENTS, Job, JobStatus

__all__ = ["INTERRUPTED", "EndReason", "JobLog", "JobWork", "LiveJob", "failure"]

_STATUS_OF = {"end": JobStatus.SUCCEEDED, "error": JobStatus.FAILED, "cancelled": JobStatus.CANCELLED}

INTERRUPTED = {
    "code": "interrupted",
    "error": "The process that ran the job ended before the job did. Fix: start the job again.",
}
"""The data of the event that closes the log of a job whose process died."""


class EndReason(StrEnum):
    """Why a job is made to end before its work does."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"
    UNREACHABLE = "unreachable"


class JobLog:
    """What the work of a job writes its events to.

    Attributes:
        job_id: The job.
    """

    __slots__ = ("_live", "job_id")

    def __init__(self, live: "LiveJob") -> None:
        self.job_id = live.id
        self._live = live

    def append(self, type: str, data: Any = None) -> int:  # noqa: A002 - what an event's kind is called everywhere
        """Append an event that readers see at once, and return its id.

        ``end``, ``error`` and ``cancelled`` close the log and decide the status of the job; work that ends without
        any of them gets the one that fits. Call it on the event loop only.

        Args:
            type: What happened.
            data: JSON-like data; it is copied.

        Raises:
            JobFinishedError: The log is closed.
            JobLogFullError: The log has no room for one more event.
            InvalidInputError: The data is not JSON-like.
        """
        if type in TERMINAL_EVENTS:
            return self._live.close(type, data)
        return self._live.log.append(type, data)


JobWork = Callable[[JobLog], Awaitable[None]]
"""What a job does: it is given the log, and may be cancelled at any await."""


class LiveJob:
    """A job of this process.

    Args:
        user_id: Its owner.
        work: What it does.
        kind: What sort of work it is.
        flow_id: The flow that it runs, if any.
        session_id: The session that it runs in, if any.
        timeout: Seconds that it may take.
        host: What its log shares with those of other jobs.
        on_closed: Called when the last event has been appended.

    Attributes:
        stored_status: What the database holds; None before the job is in it.
        dirty: Whether the archive has been told that there is something to write.
        detached: Whether another process has ended it, and what is missing here is read elsewhere.
        dropped: Whether nothing of it is to be written any more.
        accepted: Done when the job is in the database.
        context: That of the submitter, which the work runs in whenever it has its turn.
    """

    # There may be tens of thousands at once, and each object more is one more for the garbage collector to visit.
    __slots__ = (
        "_on_closed",
        "accepted",
        "context",
        "created_at",
        "detached",
        "dirty",
        "dropped",
        "error",
        "finished_at",
        "flow_id",
        "id",
        "kind",
        "log",
        "reason",
        "session_id",
        "started_at",
        "status",
        "stored_status",
        "task",
        "timeout",
        "user_id",
        "work",
    )

    def __init__(
        self,
        user_id: uuid.UUID,
        work: JobWork,
        *,
        kind: str,
        flow_id: uuid.UUID | None,
        session_id: str | None,
        timeout: float,
        host: "LogHost[LiveJob]",
        on_closed: Callable[["LiveJob"], None],
    ) -> None:
        self.id = new_id()
        self.user_id = user_id
        self.work = work
        self.context = contextvars.copy_context()
        self.kind = kind
        self.flow_id = flow_id
        self.session_id = session_id
        self.timeout = timeout
        self.status = JobStatus.QUEUED
        self.error: str | None = None
        self.created_at = utc_now()
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.stored_status: JobStatus | None = None
        self.dirty = False
        self.detached = False
        self.dropped = False
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reason: EndReason | None = None
        self.task: asyncio.Task[None] | None = None
        self._on_closed = on_closed
        self.log = host.log_type(self, self.id, host)

    def close(self, kind: str, data: Any = None, status: JobStatus | None = None) -> int:
        """Append the last event and settle the status."""
        event = self.log.close(kind, data)
        self._settle(status or _STATUS_OF[kind], data, event.created_at)
        return event.id

    def conclude(self, kind: str, data: Any = None, status: JobStatus | None = None) -> bool:
        """As :meth:`close`, but does nothing, and says so by False, when the log is closed already."""
        if self.log.closed:
            return False
        self.close(kind, data, status)
        return True

    def supersede(self, event_id: int) -> None:
        """Take over what another process wrote when it took this one for dead."""
        was_closed = self.log.closed
        event = self.log.supersede("error", INTERRUPTED, event_id)
        if was_closed:
            self.status, self.error = JobStatus.INTERRUPTED, INTERRUPTED["error"]
        else:
            self._settle(JobStatus.INTERRUPTED, INTERRUPTED, event.created_at)
        self.stored_status = self.status

    def detach(self) -> None:
        """Have nothing more to do with a job that another process has ended: whoever reads on, reads there."""
        if self.log.done:
            return
        was_closed = self.log.closed
        self.detached = self.dropped = True
        self.status, self.error = JobStatus.INTERRUPTED, INTERRUPTED["error"]
        self.finished_at = self.finished_at or utc_now()
        self.log.detach()
        if not was_closed:
            self._on_closed(self)

    def give_up(self) -> None:
        """Show readers what the database would not take; the last event says so."""
        data = {
            "code": "not_archived",
            "error": "The job has ended, but its events could not be written to the database.",
            "outcome": self.status,
        }
        if self.log.show_uncommitted("error", data) is not None:
            self.status, self.error = JobStatus.FAILED, str(data["error"])

    def refuse(self, error: Exception) -> None:
        """Tell the submitter, if there is one still waiting, that the job could not be stored."""
        if not self.accepted.done():
            self.accepted.set_exception(error)

    def drop(self, *, deleted: bool = True) -> None:
        """Write nothing more: the job is no longer in the database, or that refuses what it writes."""
        self.dropped = True
        if deleted:
            self.conclude("error", {"code": "deleted", "error": "The job was deleted while it ran."})
        else:
            self.conclude("error", {"code": "not_archived", "error": "The database refuses the events of the job."})
        self.log.committed_up_to(self.log.committed + len(self.log.uncommitted()))

    def snapshot(self) -> Job:
        """The job as it is now."""
        return Job(
            id=self.id,
            user_id=self.user_id,
            kind=self.kind,
            flow_id=self.flow_id,
            session_id=self.session_id,
            status=self.status,
            error=self.error,
            last_event_id=self.log.last_id,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
        )

    def _settle(self, status: JobStatus, data: Any, moment: datetime) -> None:
        self.status = status
        self.finished_at = moment
        if status is not JobStatus.SUCCEEDED and isinstance(data, dict):
            texts = (data.get("message"), data.get("error"))
            self.error = next((text for text in texts if isinstance(text, str)), None)
        self._on_closed(self)


def failure(error: BaseException) -> dict[str, str]:
    """The data of an ``error`` event: what a Bedplate error says, and nothing but the type of any other."""
    if isinstance(error, BedplateError):
        return {"code": error.code, "error": with_fix(error.what, error.fix)}
    return {"code": "job_failed", "error": f"The job failed: {type(error).__name__}."}
