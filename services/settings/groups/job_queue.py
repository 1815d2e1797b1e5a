"""Settings of the job queue service."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["JobQueueSettings"]


class JobQueueSettings(ServiceSettings):
    """Jobs and their event logs (``BEDPLATE_JOB_QUEUE__*``)."""

    backend: str = "memory"
    """Where the log of a running job is: ``memory``, committed to the database in groups, or ``redis``, a stream."""
    redis_url: SecretStr | None = None
    """URL of a Redis server of its own; unset: that of ``BEDPLATE_REDIS__URL``."""
    commit_interval: Seconds = 0.05
    """Longest time, in seconds, before an event is in the database."""
    commit_events: int = Field(default=200, ge=1)
    """Most events before they are written to the database."""
    commit_patience: Seconds = 10.0
    """Seconds for which the database may fail before waiting readers are told that the log is not archived."""
    publish_interval: Seconds = 0.005
    """Seconds for which events gather before they are written to Redis, except the first after a pause (``redis``)."""
    stream_patience: Seconds = 5.0
    """Seconds for which Redis may fail before jobs that have events to write end as interrupted (``redis``)."""
    lease_ttl: Seconds = Field(default=15.0, gt=0)
    """Seconds without a heartbeat after which this process's jobs count as interrupted."""
    recover: bool = True
    """Whether this process marks jobs of dead processes as interrupted; false for a command that only looks."""
    job_timeout: Seconds = 3600.0
    """Longest time that a job may take, in seconds."""
    cancel_timeout: Seconds = 5.0
    """Seconds for which a cancelled job may tidy up before it is given up and the cancel is answered."""
    poll_timeout: Seconds = 30.0
    """Seconds that a poll waits for an event."""
    follow_interval: Seconds = Field(default=0.25, gt=0)
    """Seconds between two looks into the database for events of a job that another process runs."""
    max_cursors: int = Field(default=10_000, ge=1)
    """Jobs for which it is remembered up to where they have been polled."""
    max_jobs: int = Field(default=20_000, ge=1)
    """Most unfinished jobs of this process; beyond it, new ones are refused."""
    max_running: int = Field(default=10_000, ge=1)
    """Most jobs of this process that run at once; further ones wait in order."""
    max_events: int = Field(default=100_000, ge=10)
    """Most events in the log of one job."""
    max_event_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Largest event, in bytes of JSON; a larger one is replaced by a note of its size."""
    max_log_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """Largest log of one job, in bytes of JSON."""
    max_memory_bytes: int = Field(default=256 * 1024 * 1024, ge=1024)
    """Most memory for the logs of all jobs, in bytes of JSON; finished ones leave it first."""
    keep_finished: Seconds = 300.0
    """Seconds that the log of a finished job stays in memory; the database keeps it after that."""
    retention: Seconds = 7 * 24 * 3600.0
    """Seconds after which a finished job and its log are deleted from the database."""
