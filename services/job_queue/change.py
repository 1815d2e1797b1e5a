"""What a job has to write to the database."""

import uuid
from typing import Any

from bedplate.services.job_queue.live import LiveJob

__all__ = ["Change"]


class Change:
    """What one job has to write, as it was when the group was gathered.

    Attributes:
        live: The job.
        events: The events to add.
        insert: Whether its row is to be added.
        update: Whether its row is to be changed.
    """

    __slots__ = ("_count", "_status", "events", "insert", "live", "update")

    def __init__(self, live: LiveJob) -> None:
        self.live = live
        self._status = live.status
        self.events = live.log.uncommitted()
        self._count = live.log.committed + len(self.events)
        self.insert = live.stored_status is None
        self.update = not self.insert and live.stored_status is not live.status

    def job_row(self, instance_id: uuid.UUID, reserved: int) -> dict[str, Any]:
        """The row to add, of a job that this instance runs and that may hand out ids up to ``reserved``."""
        live = self.live
        return {
            "id": live.id,
            "user_id": live.user_id,
            "flow_id": live.flow_id,
            "session_id": live.session_id,
            "kind": live.kind,
            "instance_id": instance_id,
            "reserved_event_id": reserved,
            "created_at": live.created_at,
            **self._state(),
        }

    def update_row(self) -> dict[str, Any]:
        """What to change in the row."""
        return {"job_id": self.live.id, **self._state()}

    def _state(self) -> dict[str, Any]:
        live = self.live
        return {
            "status": self._status.value,
            "error": live.error,
            "started_at": live.started_at,
            "finished_at": live.finished_at,
            "last_event_id": self.events[-1].id if self._status.finished and self.events else 0,
        }

    def applied(self) -> None:
        """Note that all this is in the database."""
        self.live.stored_status = self._status
        self.live.log.committed_up_to(self._count)
        if not self.live.accepted.done():
            self.live.accepted.set_result(None)
