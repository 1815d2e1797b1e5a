"""What waits to be sent to one vendor: bounded in number and in bytes."""

import threading
from collections import deque

from bedplate.services.tracing.buffer import Put
from bedplate.services.tracing.vendors.step import Step

__all__ = ["Outbox"]


class Outbox:
    """Spans on their way to one vendor, in the order in which they ended. Safe to use from any thread.

    Args:
        max_items: Most spans.
        max_bytes: Bytes of contents above which spans lose theirs.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._steps: deque[Step] = deque()
        self._bytes = 0
        self._put = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def accepted(self) -> int:
        """How many were ever accepted."""
        return self._put

    def put(self, step: Step) -> Put:
        """Accept a span, without its contents if there are too many bytes already, unless there are too many spans."""
        with self._lock:
            if len(self._steps) >= self._max_items:
                return Put.DROPPED
            put = Put.KEPT
            if self._bytes + step.size > self._max_bytes:
                step, put = step.stripped(), Put.STRIPPED
            self._bytes += step.size
            self._put += 1
            self._steps.append(step)
            return put

    def take(self, max_items: int, max_bytes: int) -> list[Step]:
        """Take out the first: at most so many, and none more once they have so many bytes."""
        taken: list[Step] = []
        size = 0
        with self._lock:
            while self._steps and len(taken) < max_items and size < max_bytes:
                step = self._steps.popleft()
                self._bytes -= step.size
                size += step.size
                taken.append(step)
        return taken

    def clear(self) -> int:
        """Take out all; how many there were."""
        with self._lock:
            number = len(self._steps)
            self._steps.clear()
            self._bytes = 0
            return number
