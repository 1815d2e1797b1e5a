"""Settings of the job queue service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["JobQueueSettings"]


class JobQueueSettings(ServiceSettings):
    """Jobs and their event logs (``BEDPLATE_JOB_QUEUE__*``)."""

    backend: str = "memory"
    """Where the log of a running job is: ``memory``, committed to the database in groups."""
    commit_interval: Seconds = 0.05
    """Longest time, in seconds, before an event is in the database."""
    commit_events: int = Field(default=200, ge=1)
    """Most events before they are written to the database."""
    lease_ttl: Seconds = 15.0
    """Seconds without a heartbeat after which this process's jobs count as interrupted."""
    job_timeout: Seconds = 3600.0
    """Longest time that a job may take, in seconds."""
    cancel_timeout: Seconds = 5.0
    """Seconds to wait for a cancelled job to end before the cancel is answered."""
    max_events: int = Field(default=100_000, ge=10)
    """Most events in the log of one job."""
    max_event_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Largest event."""
    keep_finished: Seconds = 300.0
    """Seconds that the log of a finished job stays in memory; the database keeps it after that."""
