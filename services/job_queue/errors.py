"""Errors of the job queue.

::

    TooLargeError
    └── JobLogFullError           a log has no room for one more event
    ConflictError
    └── JobFinishedError          a log is closed
    RateLimitedError
    └── TooManyJobsError          too many jobs are waiting or running
    NotFoundError
    └── JobNotFoundError          no such job, or not the caller's
    UnavailableError
    ├── JobElsewhereError         another process runs the job
    └── JobQueueDrainingError     the process is about to stop
"""

import uuid

from bedplate.services.errors import ConflictError, NotFoundError, RateLimitedError, TooLargeError, UnavailableError

__all__ = [
    "JobElsewhereError",
    "JobFinishedError",
    "JobLogFullError",
    "JobNotFoundError",
    "JobQueueDrainingError",
    "TooManyJobsError",
]

_SERVICE = "job_queue"


class JobLogFullError(TooLargeError):
    """The log of a job has no room for one more event.

    Args:
        what: The limit reached, in words.
        setting: The setting that says so.
    """

    code = "job_log_full"

    def __init__(self, what: str, setting: str) -> None:
        super().__init__(what, service=_SERVICE, fix=f"write fewer or smaller events, or raise {setting}")


class JobFinishedError(ConflictError):
    """The log of a job is closed: nothing can be appended."""

    code = "job_finished"

    def __init__(self, job_id: uuid.UUID) -> None:
        super().__init__(f"job {job_id} has ended", service=_SERVICE, fix="append nothing after the terminal event")


class TooManyJobsError(RateLimitedError):
    """Too many jobs are waiting or running."""

    code = "too_many_jobs"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} jobs are waiting or running",
            service=_SERVICE,
            retry_after=1.0,
            fix="try again when some have ended, or raise BEDPLATE_JOB_QUEUE__MAX_JOBS",
        )


class JobNotFoundError(NotFoundError):
    """The job is not there, or belongs to somebody else."""

    code = "job_not_found"

    def __init__(self, job_id: uuid.UUID) -> None:
        super().__init__(f"there is no job {job_id}", service=_SERVICE)
        self.job_id = job_id


class JobElsewhereError(UnavailableError):
    """Another process runs the job, or ran it and has died a moment ago."""

    code = "job_elsewhere"

    def __init__(self, job_id: uuid.UUID) -> None:
        super().__init__(
            f"job {job_id} is run by another process",
            service=_SERVICE,
            fix="ask that process; if it has died, the job is marked as interrupted when its lease has expired",
        )


class JobQueueDrainingError(UnavailableError):
    """The process is about to stop and takes no new jobs; another one does."""

    code = "job_queue_draining"
    retry_after = 1.0

    def __init__(self) -> None:
        super().__init__(
            "the server is about to stop",
            service=_SERVICE,
            fix="try again in a second: another one answers",
        )
