"""The log of a job whose events are seen once they are in its stream."""

import uuid
from typing import Any

from bedplate.services.job_queue.live import LiveJob
from bedplate.services.job_queue.log import EventLog
from bedplate.services.job_queue.log_host import LogHost
from bedplate.services.job_queue.models import JobEvent

__all__ = ["StreamedLog"]


class StreamedLog(EventLog[LiveJob]):
    """Shows what is in the stream or in the database, so that nobody has seen what a crash can lose.

    The event that closes the log is shown when it is in the database. Events have the ids 1, 2, 3 and so on without
    a gap, so that the id of an event is also the number of those up to it.

    Attributes:
        published: How many events are in the stream, or were and are in the database.
        top: Id of the event that the stream ends with; 0 when it is empty.
        trimmed: Up to which event the stream has been trimmed.
        unarchived: Bytes that have been published since the last commit to the database.
    """

    __slots__ = ("published", "top", "trimmed", "unarchived")

    def __init__(self, owner: LiveJob, job_id: uuid.UUID, host: LogHost[LiveJob]) -> None:
        super().__init__(owner, job_id, host)
        self.published = 0
        self.top = 0
        self.trimmed = 0
        self.unarchived = 0

    @property
    def appended(self) -> int:
        """How many events there are that may be published: the last one only when readers here can see it."""
        return len(self._events) - (self.closed and not self.done)

    @property
    def last_appended(self) -> int:
        """Id of the last event, whether anybody can see it or not."""
        return len(self._events)

    def unpublished(self, limit: int) -> list[JobEvent]:
        """At most ``limit`` events that are to be published next."""
        return self._events[self.published : min(self.published + limit, self.appended)]

    def published_up_to(self, event_id: int, size: int) -> None:
        """Note that the stream ends with this event, after ``size`` bytes more."""
        self.top = event_id
        self.published = max(self.published, event_id)
        self.unarchived += size
        self._show(min(self.published, self.appended))

    def rewind(self, event_id: int) -> None:
        """Publish anew what follows this event, with which the stream ends, unless the database has it."""
        self.top = event_id
        self.published = max(event_id, min(self.committed, self.published))

    def committed_up_to(self, count: int) -> None:
        """Note that the first ``count`` events are in the database, and show them."""
        self.committed = max(self.committed, count)
        self.unarchived = 0
        held = self.closed and not self.archived
        self._show(min(max(self.published, self.committed), len(self._events) - held))

    def show_uncommitted(self, kind: str, data: Any) -> JobEvent | None:
        """Show everything once the log is closed, though it is not in the database."""
        return super().show_uncommitted(kind, data) if self.closed else None
