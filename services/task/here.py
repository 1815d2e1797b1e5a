"""What the task service asks of the worker of its own process."""

import uuid
from typing import Any, Protocol

from bedplate.services.task.attempt import Claim, EndReason
from bedplate.services.task.definition import TaskDefinition

__all__ = ["ExecutesHere"]


class ExecutesHere(Protocol):
    """The worker of this process, which the service hands runs to without a way through the database."""

    def reserve(self, definition: TaskDefinition, row: dict[str, Any]) -> bool:
        """Keep a slot for a new run and make its row that of a running one; False, and nothing is changed, if none."""
        ...

    def begin(self, claim: Claim) -> None:
        """Execute a run whose row has been committed."""
        ...

    def withdraw(self, run_id: uuid.UUID, *, unsure: bool) -> None:
        """Give a slot back; ``unsure``: the row may have been committed."""
        ...

    def executes(self, user_id: uuid.UUID | None, run_id: uuid.UUID) -> bool:
        """Whether this process executes this run of this owner now."""
        ...

    def ask_to_end(self, run_id: uuid.UUID, reason: EndReason) -> bool:
        """Ask a run to end; False if this process does not execute it."""
        ...
