"""What the doctor looks at on behalf of the task service."""

from collections.abc import Iterator
from typing import Any, Final

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check
from bedplate.services.errors import BedplateError

__all__ = ["CHECKS"]

_SHORT_LEASE: Final = 3.0
_SHUTDOWN_GRACE: Final = 2.0


@check("task.long-drain", Severity.WARNING, "Tasks have the time to end that they are given when the process stops")
def _long_drain(_task: Any, around: Surroundings) -> Iterator[Trouble]:
    values = around.values.task
    needed = values.drain_timeout + min(values.cancel_timeout, _SHUTDOWN_GRACE)
    if values.execute and needed > values.stop_timeout:
        yield Trouble(
            f"tasks may take {needed:g} s to end, and are cut off after {values.stop_timeout:g} s",
            fix="raise BEDPLATE_TASK__STOP_TIMEOUT, or lower BEDPLATE_TASK__DRAIN_TIMEOUT",
        )


@check("task.short-lease", Severity.WARNING, "A process that is busy for a moment keeps its tasks")
def _short_lease(_task: Any, around: Surroundings) -> Iterator[Trouble]:
    ttl = around.values.task.lease_ttl
    if ttl < _SHORT_LEASE:
        yield Trouble(
            f"a process that does not come to renew its lease for {ttl:g} s is taken for dead, and its tasks run twice",
            fix=f"set BEDPLATE_TASK__LEASE_TTL to {_SHORT_LEASE:g} or more",
        )


@check("task.executes-nothing", Severity.NOTE, "Somebody executes the tasks that are submitted")
def _executes_nothing(task: Any, around: Surroundings) -> Iterator[Trouble]:
    if not (around.values.task.execute and task.carrier.delivers):
        yield Trouble(
            "this process executes no tasks, neither those of users nor the maintenance of Bedplate's own",
            fix="run `bedplate worker` beside it, or set BEDPLATE_TASK__EXECUTE=true and BEDPLATE_TASK__BACKEND=anyio",
        )


@check("task.broker", Severity.ERROR, "The broker of Celery answers, and lets this process in")
def _broker(task: Any, around: Surroundings) -> Iterator[Trouble]:
    values = around.values.task
    # Once started, health tells; and without a URL of its own, the broker is looked at with the other Redis servers.
    if values.backend != "celery" or values.broker_url is None or around.started:
        return
    try:
        task.carrier.call()
    except BedplateError as error:
        yield Trouble(f"{error.what} ({error.why})", fix=error.fix or "look at the broker")


CHECKS: tuple[Check, ...] = (_long_drain, _short_lease, _executes_nothing, _broker)
