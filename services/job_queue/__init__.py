"""The job queue service: background jobs with event logs that any number of readers follow."""

from bedplate.services.job_queue.errors import (
    JobElsewhereError,
    JobFinishedError,
    JobLogFullError,
    JobNotFoundError,
    JobQueueDrainingError,
    TooManyJobsError,
)
from bedplate.services.job_queue.live import JobLog, JobWork
from bedplate.services.job_queue.models import TERMINAL_EVENTS, Job, JobEvent, JobPage, JobStatus
from bedplate.services.job_queue.service import JobQueueService

__all__ = [
    "TERMINAL_EVENTS",
    "Job",
    "JobElsewhereError",
    "JobEvent",
    "JobFinishedError",
    "JobLog",
    "JobLogFullError",
    "JobNotFoundError",
    "JobPage",
    "JobQueueDrainingError",
    "JobQueueService",
    "JobStatus",
    "JobWork",
    "TooManyJobsError",
]
