"""The session service."""

import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec

from bedplate.services.base import Service
from bedplate.services.cache import CacheService
from bedplate.services.database import DatabaseService
from bedplate.services.database.retention import BATCH
from bedplate.services.engines.redactor import Redactor
from bedplate.services.schema import ServiceType
from bedplate.services.session.builds import Builds
from bedplate.services.session.digest import content_digest
from bedplate.services.session.flows import Flows
from bedplate.services.session.models import FlowSession
from bedplate.services.session.projects import Projects
from bedplate.services.session.results import BuiltResults
from bedplate.services.session.runner import FlowDocument, FlowLimits, RunContext, RunEvent, RunInputs, Runner
from bedplate.services.session.runner.errors import NotAFlowError
from bedplate.services.session.sessions import Sessions
from bedplate.services.session.turns import Turns
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["SessionService"]


class SessionService(Service, Sessions):
    """Sessions of flow execution, and what they are made of: flows, projects, builds, and the runner.

    Args:
        settings: The settings; its group is ``session``.
        telemetry: For the metrics.
        database: Where everything is kept.
        cache: Where prepared graphs are kept.
        runner: What executes flows.
        redactor: Masks secrets in builds.

    Attributes:
        flows: Flow documents.
        projects: Groups of flows.
        results: What frozen vertices gave.
        turns: Whether runs of one session go on at once.
        builds: What the vertices of runs received and gave.
    """

    type = ServiceType.SESSION
    part_names = ("flows", "projects", "turns", "builds", "results")

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        cache: CacheService,
        runner: Runner,
        redactor: Redactor,
    ) -> None:
        values = settings.values.session
        Sessions.__init__(self, database, telemetry, values.idle_ttl)
        self.backend = values.backend
        self.results = BuiltResults(cache.namespace("session.results"), values.result_ttl)
        self.flows = Flows(database, values.max_flow_bytes, self.results)
        self.projects = Projects(database)
        self.turns = Turns(database, values, telemetry)
        self.builds = Builds(database, redactor, values, telemetry)
        self._graphs = cache.namespace("session.graphs")
        self._runner = runner
        self._limits = FlowLimits(
            max_bytes=values.max_flow_bytes, max_nodes=values.max_nodes, max_edges=values.max_edges
        )

    async def rename(self, user_id: uuid.UUID, old: str, new: str, *, flow_id: uuid.UUID | None = None) -> int:
        """Let clients call sessions by another session id; see :meth:`Sessions.rename`."""
        renamed = await super().rename(user_id, old, new, flow_id=flow_id)
        await self.results.forget_session(user_id, old)
        return renamed

    async def delete(self, user_id: uuid.UUID, session_id: str, *, flow_id: uuid.UUID | None = None) -> int:
        """Forget sessions, and what their frozen vertices gave; see :meth:`Sessions.delete`."""
        deleted = await super().delete(user_id, session_id, flow_id=flow_id)
        await self.results.forget_session(user_id, session_id)
        return deleted

    async def delete_old(self, *, limit: int = BATCH) -> int:
        """Delete one batch of recorded builds and transactions beyond ``record_retention``; how many there were."""
        return await self.builds.delete_old(limit=limit)

    async def prepare(self, session: FlowSession, data: Mapping[str, Any] | None) -> FlowDocument:
        """The graph of a document: checked, in order, and kept for the next run of the session.

        It is kept under the session's id and a digest of the content, so that a document that differs in layout only
        is not prepared again, and no session sees the graph of another.

        Args:
            session: The session that it is run in.
            data: The document; it is not changed.

        Raises:
            FlowError: It is no flow that can run, or is too large.
        """
        if not data:
            raise NotAFlowError("the flow has no graph", fix="give the flow nodes and edges before it is run")
        document = data

        async def load() -> bytes:
            return msgspec.msgpack.encode(FlowDocument.parse(document, self._limits))

        key = f"{session.id}:{content_digest(document, self._limits.max_bytes)}"
        return msgspec.msgpack.decode(await self._graphs.get_or_set(key, load), type=FlowDocument)

    def run(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> AsyncGenerator[RunEvent, None]:
        """Execute a flow once with the container's runner; see :class:`~bedplate.services.session.runner.Runner`."""
        return self._runner.run(flow, inputs, context)
