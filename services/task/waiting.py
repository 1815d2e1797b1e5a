"""Waiting for a run to change, in this process or another."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Waiters"]


class Waiters:
    """Who waits for which run; wakes them when this process writes something of it."""

    def __init__(self) -> None:
        self._events: dict[uuid.UUID, set[asyncio.Event]] = {}

    def __len__(self) -> int:
        return len(self._events)

    @contextmanager
    def of(self, run_id: uuid.UUID) -> Iterator[asyncio.Event]:
        """An event that is set when this process has written something of the run; for the length of a block."""
        event = asyncio.Event()
        self._events.setdefault(run_id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._events[run_id]
            waiting.discard(event)
            if not waiting:
                del self._events[run_id]

    def wake(self, run_id: uuid.UUID) -> None:
        """Wake who waits for a run."""
        for event in self._events.get(run_id, ()):
            event.set()
