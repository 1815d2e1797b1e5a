"""The jobs of this process that are in memory: running ones, and finished ones for a while."""

import asyncio
import uuid
from collections import deque
from collections.abc import Iterator

from bedplate.services.job_queue.live import LiveJob
from bedplate.services.job_queue.log_host import Memory
from bedplate.services.telemetry import TelemetryService

__all__ = ["LiveJobs"]


class LiveJobs:
    """Live jobs by id.

    Args:
        max_bytes: Room for the logs of all.
        keep_finished: Seconds that a finished job stays.
        telemetry: For the metrics.

    Attributes:
        memory: The room for the logs.
    """

    def __init__(self, max_bytes: int, keep_finished: float, telemetry: TelemetryService) -> None:
        self.memory = Memory(max_bytes, self._reclaim)
        self._max_bytes = max_bytes
        self._keep_finished = keep_finished
        self._jobs: dict[uuid.UUID, LiveJob] = {}
        self._finished: deque[tuple[float, LiveJob]] = deque()
        self._evicted = telemetry.meter.counter(
            "bedplate_job_queue_logs_evicted", "Logs of finished jobs that left memory", labels=("cause",)
        )

    def __iter__(self) -> Iterator[LiveJob]:
        return iter(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, live: LiveJob) -> None:
        """Take a job in."""
        self._jobs[live.id] = live

    def get(self, job_id: uuid.UUID) -> LiveJob | None:
        """The job with this id, if it is in memory."""
        return self._jobs.get(job_id)

    def remove(self, live: LiveJob) -> None:
        """Let a job go; who reads its log still comes to the end."""
        if self._jobs.pop(live.id, None) is not None:
            live.log.free()

    def finished(self, live: LiveJob) -> None:
        """Note that a job has ended, and that its time in memory runs."""
        self._finished.append((asyncio.get_running_loop().time(), live))

    def sweep(self) -> None:
        """Let go of jobs that ended long enough ago and are in the database as a whole."""
        latest = asyncio.get_running_loop().time() - self._keep_finished
        waiting: list[tuple[float, LiveJob]] = []
        while self._finished and self._finished[0][0] <= latest:
            entry = self._finished.popleft()
            if not self._evict(entry[1], "age"):
                waiting.append(entry)
        self._finished.extendleft(reversed(waiting))

    def clear(self) -> None:
        """Let go of everything."""
        for live in self:
            self.remove(live)
        self._finished.clear()

    def _reclaim(self, wanted: int) -> None:
        waiting: list[tuple[float, LiveJob]] = []
        while self._finished and self.memory.used + wanted > self._max_bytes:
            entry = self._finished.popleft()
            if not self._evict(entry[1], "memory"):
                waiting.append(entry)
        self._finished.extendleft(reversed(waiting))

    def _evict(self, live: LiveJob, cause: str) -> bool:
        if live.id not in self._jobs:
            return True
        if not live.log.archived:
            return False
        self.remove(live)
        self._evicted.add(cause=cause)
        return True
