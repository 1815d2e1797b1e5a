"""What is to be done, when, and how: a submit, checked and made into a row."""

import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bedplate.services.database.models import new_id, utc_now
from bedplate.services.engines.trace_context import current_context
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.errors import TaskScheduleError
from bedplate.services.task.retrying import Duration, seconds_of

__all__ = ["new_run", "unique_key"]

_MAX_PRIORITY: Final = 1_000_000
_MAX_KEY: Final = 200
_DEFAULTS: Final[Mapping[str, Any]] = {
    "attempt": 0,
    "failures": 0,
    "losses": 0,
    "instance_id": None,
    "cancel_requested": False,
    "progress": None,
    "result": None,
    "error": None,
    "error_code": None,
    "traceback": None,
    "started_at": None,
    "finished_at": None,
}


def new_run(
    settings: TaskSettings,
    definition: TaskDefinition,
    user_id: uuid.UUID | None,
    arguments: Mapping[str, Any],
    *,
    delay: Duration | None,
    at: datetime | None,
    key: str | None,
    keep_key: bool,
    priority: int | None,
    timeout: float | None,
    max_attempts: int | None,
) -> dict[str, Any]:
    """The columns of a run that waits.

    Raises:
        TaskArgumentsError: The arguments do not fit the function.
        TaskArgumentsTooLargeError: They are over the limit.
        TaskScheduleError: Another value makes no sense.
    """
    now = utc_now()
    options = definition.options
    run_at = _run_at(now, delay, at, settings.max_delay)
    context = current_context()
    return {
        **_DEFAULTS,
        "id": new_id(),
        "user_id": user_id,
        "name": definition.name,
        "status": "queued",
        "priority": _number("priority", options.priority if priority is None else priority, -_MAX_PRIORITY),
        "run_at": run_at,
        "announced_at": now if run_at <= now else None,  # by its submitter, after the commit
        "arguments": definition.arguments.encode(arguments, settings.max_argument_bytes),
        "unique_key": None if key is None else unique_key(user_id, definition.name, key),
        "key_kept": keep_key,
        "max_attempts": _number("max_attempts", max_attempts or options.max_attempts or settings.max_attempts, 1),
        "timeout": _timeout(timeout or options.timeout or settings.timeout),
        "traceparent": None if context is None else context.traceparent,
        "tracestate": None if context is None else context.tracestate,
        "created_at": now,
    }


def unique_key(user_id: uuid.UUID | None, name: str, key: str) -> str:
    """The key of a run among those of all owners and tasks.

    Raises:
        TaskScheduleError: It is empty, too long or not printable.
    """
    if not key or len(key) > _MAX_KEY or not key.isprintable():
        raise TaskScheduleError("the key makes no sense", fix=f"use 1 to {_MAX_KEY} printable characters")
    return f"{user_id or 'system'}/{name}/{key}"


def _number(what: str, value: int, least: int) -> int:
    if not least <= value <= _MAX_PRIORITY:
        raise TaskScheduleError(f"the {what} makes no sense", fix=f"use {least} to {_MAX_PRIORITY}")
    return value


def _timeout(seconds: float) -> float:
    if not 0 < seconds < math.inf:
        raise TaskScheduleError("the timeout of a task must be positive", fix="pass None or seconds > 0")
    return float(seconds)


def _run_at(now: datetime, delay: Duration | None, at: datetime | None, longest: float) -> datetime:
    if delay is not None and at is not None:
        raise TaskScheduleError("a task has a delay or a moment, not both", fix="pass one of delay and at")
    if at is not None and at.tzinfo is None:
        raise TaskScheduleError("the moment has no time zone", fix="pass an aware datetime, such as one in UTC")
    seconds = 0.0 if delay is None else seconds_of(delay)
    if at is not None:
        seconds = (at - now).total_seconds()
    if not seconds <= longest:  # not a number, too
        raise TaskScheduleError(
            f"a task cannot be put off for more than {longest:g} seconds",
            fix="schedule it nearer, or raise BEDPLATE_TASK__MAX_DELAY",
        )
    return now if seconds <= 0 else (now + timedelta(seconds=seconds)).astimezone(UTC)
