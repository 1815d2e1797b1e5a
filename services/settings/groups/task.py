"""Settings of the task service."""

from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Location, Seconds, ServiceSettings

__all__ = ["TaskSettings"]

_QUEUE: Final = r"^[A-Za-z0-9_.-]{1,100}$"


class TaskSettings(ServiceSettings):
    """Background tasks (``BEDPLATE_TASK__*``)."""

    backend: str = "anyio"
    """How workers come by tasks: ``anyio``, from the database, woken at once in the process that submits; ``celery``,
    by its messages, in the processes of ``bedplate worker``."""
    execute: bool = True
    """Whether a full boot, such as that of ``bedplate serve``, executes tasks; false: it only submits them."""
    modules: tuple[str, ...] = ()
    """Modules to import that register tasks, by name; also wired, so that ``@inject`` works in them."""
    concurrency: int = Field(default=16, ge=1)
    """Most tasks that one process executes at once."""
    threads: int = Field(default=4, ge=1)
    """Most plain functions, which need a thread each, that one process executes at once."""
    poll_interval: Seconds = Field(default=1.0, gt=0)
    """Seconds between two looks into the database for tasks that other processes submitted or asked to cancel."""
    lease_ttl: Seconds = Field(default=15.0, gt=0)
    """Seconds without a heartbeat after which the tasks of a process are executed by another."""
    progress_interval: Seconds = 0.5
    """Seconds for which reports of progress are gathered before they are written."""
    timeout: Seconds = Field(default=3600.0, gt=0)
    """Seconds that one attempt may take, where neither the task nor its submitter says otherwise."""
    cancel_timeout: Seconds = 5.0
    """Seconds for which a cancelled task may tidy up before it is given up and the cancel is answered."""
    drain_timeout: Seconds = 5.0
    """Seconds for which a process that stops lets its tasks go on; what has not ended then is given back."""
    max_attempts: int = Field(default=1, ge=1)
    """How often a task is tried that fails, where neither the task nor its submitter says otherwise."""
    retry_delay: Seconds = 1.0
    """Seconds before the second attempt; doubled for each further one, and shortened by chance by up to a half."""
    retry_max_delay: Seconds = 300.0
    """Longest time, in seconds, between two attempts."""
    max_losses: int = Field(default=3, ge=0)
    """How often a task is begun anew whose process died; after that it has failed."""
    unknown_grace: Seconds = 60.0
    """Seconds for which a due task waits for a process that has its function; after that it has failed."""
    schedules: bool = True
    """Whether this process, if it executes tasks, submits those that are due by their cron expressions."""
    cron_catch_up: Seconds = Field(default=600.0, le=3600)
    """Seconds after which a time of a cron expression, passed while no process was there, is made up for no more."""
    max_queued: int = Field(default=10_000, ge=1)
    """Most tasks of one owner that wait; a tenth more may come where many processes submit at once."""
    max_argument_bytes: int = Field(default=256 * 1024, ge=2)
    """Largest arguments of a task, in bytes of JSON."""
    max_result_bytes: int = Field(default=1024 * 1024, ge=4)
    """Largest result of a task, in bytes of JSON."""
    max_delay: Seconds = 366 * 24 * 3600.0
    """Longest time, in seconds, for which a task may be put off."""
    broker_url: SecretStr | None = None
    """URL of the broker of Celery: ``redis://``, ``rediss://``, ``amqp://`` or ``amqps://``; unset: that of
    ``BEDPLATE_REDIS__URL``."""
    broker_ca_file: Location | None = None
    """Certificates that the broker's is checked against, in place of ``BEDPLATE_REDIS__CA_FILE`` or the usual ones."""
    broker_queue: str = Field(default="bedplate", pattern=_QUEUE)
    """The queue of tasks that no route leads elsewhere."""
    broker_routes: dict[str, Annotated[str, Field(pattern=_QUEUE)]] = Field(default={}, max_length=100)
    """Queues of tasks by patterns of their names, as JSON: ``{"reports.*": "slow"}``; the first that fits counts."""
    broker_consume: tuple[str, ...] = ()
    """Queues that ``bedplate worker`` takes tasks from; empty: all."""
    broker_timeout: float = Field(default=5.0, gt=0)
    """Seconds in which the broker must accept a connection, and answer."""
    broker_visibility_timeout: float = Field(default=3600.0, ge=1)
    """Seconds after which Redis hands a message out again that a worker keeps; a longer task still runs once."""
    resend_after: float = Field(default=30.0, gt=0)
    """Seconds after which a due task is announced to the broker again if its message seems to be lost."""
    worker_pool: Literal["prefork", "threads"] = "prefork"
    """How ``bedplate worker`` executes with Celery: ``prefork``, one task at a time in each of several processes;
    ``threads``, so many tasks as ``concurrency`` says in one."""
    worker_processes: int = Field(default=0, ge=0)
    """Processes of the pool ``prefork``; 0: one for each processor."""
    worker_max_tasks: int = Field(default=0, ge=0)
    """Tasks after which a process of the pool ``prefork`` is replaced, as where a library leaks; 0: never."""
    retention: Seconds = 7 * 24 * 3600.0
    """Seconds after which a task that succeeded or was cancelled is deleted."""
    dead_letter_retention: Seconds = 30 * 24 * 3600.0
    """Seconds after which a task that failed is deleted."""
