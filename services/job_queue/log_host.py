"""What the logs of all jobs of a process share: their bounds, their memory, and whom they tell."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from bedplate.services.job_queue.log import EventLog

__all__ = ["LogHost", "LogLimits", "Memory", "OwnerT"]

OwnerT = TypeVar("OwnerT")


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a log may hold; see the settings of the same names."""

    max_events: int
    max_event_bytes: int
    max_log_bytes: int


class Memory:
    """The room that all logs share.

    Args:
        limit: Bytes in all.
        reclaim: Called with the bytes wanted when there is no room; gives back what it can.
    """

    def __init__(self, limit: int, reclaim: Callable[[int], None]) -> None:
        self._limit = limit
        self._reclaim = reclaim
        self.used = 0

    def take(self, size: int) -> bool:
        """Take ``size`` bytes; False if there is no room."""
        if self.used + size > self._limit:
            self._reclaim(size)
            if self.used + size > self._limit:
                return False
        self.used += size
        return True

    def take_always(self, size: int) -> None:
        """Take ``size`` bytes, room or not: the end of a log must be told."""
        self.used += size

    def give(self, size: int) -> None:
        """Give ``size`` bytes back."""
        self.used -= size


class LogHost(Generic[OwnerT]):
    """What all logs of a process share.

    Args:
        limits: How much each may hold.
        memory: Where their room is taken from.
        on_append: Called after each append with the owner of the log and whether the event must be committed at once.
        on_truncate: Called when an event was too large.
        on_done: Called with the owner of the log when readers can see its last event.
        log_type: What logs are made of.
    """

    __slots__ = ("limits", "log_type", "memory", "on_append", "on_done", "on_truncate")

    def __init__(
        self,
        limits: LogLimits,
        memory: Memory,
        on_append: Callable[[OwnerT, bool], None],
        on_truncate: Callable[[], None],
        on_done: Callable[[OwnerT], None],
        log_type: "type[EventLog[OwnerT]]",
    ) -> None:
        self.limits = limits
        self.memory = memory
        self.on_append = on_append
        self.on_truncate = on_truncate
        self.on_done = on_done
        self.log_type = log_type
