"""Builds and transactions of one run, gathered and stored in groups."""

import uuid
from typing import Any, Final

from bedplate.services.logs import get_logger
from bedplate.services.session import NewBuild, NewTransaction, SessionService
from bedplate.services.session.runner import VertexFinished, VertexStarted
from bedplate.wiring.runs.shapes import result_data

__all__ = ["Records"]

_GROUP: Final = 50
"""Vertices after which a group is stored."""

_log = get_logger("bedplate.execution")


class Records:
    """What each vertex received and gave. Storing it is no part of the run: a failure is logged and counted lost.

    Args:
        session: Where records are stored.
        user_id: The owner of the run.
        flow_id: The flow that runs.
        run_id: The run.
        log_builds: Whether builds are stored beside transactions.
    """

    def __init__(
        self, session: SessionService, user_id: uuid.UUID, flow_id: uuid.UUID, run_id: uuid.UUID, *, log_builds: bool
    ) -> None:
        self._session = session
        self._user_id = user_id
        self._flow_id = flow_id
        self._run_id = run_id
        self._log_builds = log_builds
        self._inputs: dict[str, dict[str, Any]] = {}
        self._builds: list[NewBuild] = []
        self._transactions: list[NewTransaction] = []

    def started(self, event: VertexStarted) -> None:
        """Keep what a vertex received."""
        self._inputs[event.vertex_id] = event.inputs

    async def finished(self, event: VertexFinished) -> None:
        """Keep what a vertex gave."""
        outputs = {name: output.value for name, output in event.outputs.items()}
        self._transactions.append(
            NewTransaction(
                vertex_id=event.vertex_id,
                status="success" if event.valid else "error",
                inputs=self._inputs.pop(event.vertex_id, None),
                outputs=outputs,
                error=event.error,
            )
        )
        if self._log_builds:
            self._builds.append(
                NewBuild(
                    id=event.vertex_id,
                    valid=event.valid,
                    data=result_data(event),
                    artifacts=event.artifacts,
                    params=event.params,
                )
            )
        if len(self._transactions) >= _GROUP:
            await self.store()

    async def store(self) -> None:
        """Store what has gathered."""
        builds, transactions = self._builds, self._transactions
        if not builds and not transactions:
            return
        try:
            await self._session.builds.record(
                self._user_id, self._flow_id, run_id=self._run_id, builds=builds, transactions=transactions
            )
        except Exception as error:
            _log.warning("builds of a run were not stored", run_id=str(self._run_id), error=type(error).__name__)
        self._builds, self._transactions = [], []
