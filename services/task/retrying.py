"""When a failed task is tried again, and what a function raises to say so itself."""

import random
from datetime import timedelta

import msgspec

from bedplate.services.errors import BedplateError
from bedplate.services.task.errors import TaskDefinitionError

__all__ = ["Backoff", "GiveUp", "Retry", "Snooze", "seconds_of"]

Duration = float | timedelta


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


class Retry(BedplateError):  # noqa: N818 - an instruction more than an error
    """Raised by a task: this attempt failed, try again while attempts are left.

    Args:
        reason: Why, for people.
        after: Seconds before the next attempt; None: as the task's backoff says.
    """

    code = "task_retry"

    def __init__(self, reason: str = "the task asked to be tried again", *, after: Duration | None = None) -> None:
        super().__init__(reason)
        self.after = None if after is None else max(0.0, seconds_of(after))


class Snooze(BedplateError):  # noqa: N818 - an instruction more than an error
    """Raised by a task: what it needs is not there yet; begin anew later, which is no failure.

    Args:
        after: Seconds before it is begun anew.
    """

    code = "task_snooze"

    def __init__(self, after: Duration) -> None:
        super().__init__(f"begins anew in {seconds_of(after):g} seconds")
        self.after = max(0.0, seconds_of(after))


class GiveUp(BedplateError):  # noqa: N818 - an instruction more than an error
    """Raised by a task: it failed, and trying again would not help."""

    code = "task_given_up"


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before another attempt: exponential, bounded, and shortened by chance.

    Chance keeps tasks that failed together, as when a server was down, from coming back together.

    Attributes:
        first: Seconds before the second attempt.
        factor: What each further wait is multiplied by.
        longest: Most seconds.
        jitter: Largest part of the wait that chance takes off, from 0 to 1.
    """

    first: float = 1.0
    factor: float = 2.0
    longest: float = 300.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if self.first < 0 or self.factor < 1 or self.longest < 0 or not 0 <= self.jitter <= 1:
            raise TaskDefinitionError(
                "a function", f"{self!r} makes no sense", fix="first and longest from 0, factor from 1, jitter 0 to 1"
            )

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures (from 1)."""
        try:
            whole = min(self.longest, self.first * self.factor ** (failures - 1))
        except OverflowError:
            whole = self.longest
        return whole * (1 - self.jitter * random.random())  # noqa: S311 - protects nothing
