"""Runs flows: the one way from a request, wherever it came from, to a run and everything that is kept of it."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bedplate.containers.application import ApplicationContainer
from bedplate.services.chat import ChatService
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import BedplateError
from bedplate.services.job_queue import Job, JobEvent, JobQueueService
from bedplate.services.session import Flow, SessionService
from bedplate.services.session.runner import RunInputs, RunOutput
from bedplate.services.socket import SocketService
from bedplate.services.state import StateService
from bedplate.services.storage import StorageService
from bedplate.services.tracing import TracingService
from bedplate.services.variable import VariableService
from bedplate.wiring.runs.consumer import RunKind
from bedplate.wiring.runs.work import RunRequest, RunServices, RunWork

__all__ = ["Execution", "FlowRunError", "RunKind", "RunResult"]


class FlowRunError(BedplateError):
    """A run came to no result.

    Attributes:
        job_id: The job that it was.
        reason: The stable identifier of why, as in the ``code`` of the job's last event.
    """

    code = "flow_run"

    def __init__(self, job_id: uuid.UUID, reason: str, what: str) -> None:
        super().__init__(what, service="session")
        self.job_id = job_id
        self.reason = reason


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a run gave.

    Attributes:
        job: The job that it was, as it ended.
        session_id: The session that it ran in.
        outputs: What the vertices that were asked for gave, for the app: secrets are not masked.
        response: The same as ``/run`` answers it, secrets masked.
    """

    job: Job
    session_id: str
    outputs: tuple[RunOutput, ...]
    response: dict[str, Any]


class Execution:
    """Runs flows as jobs, and is the one consumer of their events.

    Args:
        session: Sessions, graphs and the runner.
        chat: Chat messages.
        job_queue: Jobs and their logs.
        tracing: Runs and spans.
        variable: Users' secrets.
        redactor: Masks secrets in events and answers.
        storage: Users' files.
        socket: Tells those who watch.
        state: What the vertices of a run share.
    """

    def __init__(
        self,
        *,
        session: SessionService,
        chat: ChatService,
        job_queue: JobQueueService,
        tracing: TracingService,
        variable: VariableService,
        redactor: Redactor,
        storage: StorageService,
        state: StateService,
        socket: SocketService,
    ) -> None:
        self._services = RunServices(session, chat, job_queue, tracing, variable, redactor, storage, state, socket)

    @classmethod
    def of(cls, container: ApplicationContainer) -> "Execution":
        """The execution over the services of a container."""
        return cls(
            session=container.session(),
            chat=container.chat(),
            job_queue=container.job_queue(),
            tracing=container.tracing(),
            variable=container.variable(),
            redactor=container.redactor(),
            storage=container.storage(),
            socket=container.socket(),
            state=container.state(),
        )

    async def start(
        self,
        user_id: uuid.UUID,
        flow: Flow,
        inputs: RunInputs,
        *,
        session_id: str | None = None,
        data: Mapping[str, Any] | None = None,
        kind: RunKind = RunKind.BUILD,
        log_builds: bool = True,
        timeout: float | None = None,
    ) -> Job:
        """Begin to run a flow in the background; its events are those of the job.

        Args:
            user_id: The owner of the flow, who runs it.
            flow: The flow.
            inputs: What is asked.
            session_id: The session; None: one named after the flow, as clients of the REST contract expect.
            data: A document to run instead of the stored one.
            kind: Whether the events tell of every vertex, or of messages only.
            log_builds: Whether builds are kept; transactions always are.
            timeout: Seconds that it may take; None: as the settings of the job queue say.

        Raises:
            FlowError: The document is no flow that can run.
            NotFoundError: The flow is not the user's.
            InvalidInputError: The session id makes no sense.
            SessionBusyError: Its session runs, and the setting refuses more, or too many wait.
            RateLimitedError: Too many jobs are waiting or running.
            UnavailableError: The job could not be stored.
        """
        request = await self._request(
            user_id, flow, inputs, session_id=session_id, data=data, kind=kind, log_builds=log_builds
        )
        return await self._submit(request, RunWork(self._services, request), timeout)

    async def run(
        self,
        user_id: uuid.UUID,
        flow: Flow,
        inputs: RunInputs,
        *,
        session_id: str | None = None,
        data: Mapping[str, Any] | None = None,
        kind: RunKind = RunKind.RUN,
        timeout: float | None = None,
        follow: Callable[[JobEvent], None] | None = None,
    ) -> RunResult:
        """Run a flow and return what it gave; whoever is cancelled while waiting cancels the run.

        The arguments are those of :meth:`start`; ``follow`` is told of each event of the job, as it comes.

        Raises:
            FlowRunError: The run failed, was cancelled or took too long.
            BedplateError: As :meth:`start`.
        """
        request = await self._request(user_id, flow, inputs, session_id=session_id, data=data, kind=kind)
        work = RunWork(self._services, request)
        jobs = self._services.job_queue
        job = await self._submit(request, work, timeout)
        last: JobEvent | None = None
        try:
            async for event in jobs.events(user_id, job.id):
                last = event
                if follow is not None:
                    follow(event)
        except asyncio.CancelledError:
            await jobs.cancel(user_id, job.id)
            raise
        if work.outputs is None or last is None or last.type != "end":
            raise _error(job.id, last)
        return RunResult(
            job=await jobs.get(user_id, job.id),
            session_id=request.session.session_id,
            outputs=work.outputs,
            response=work.response,
        )

    async def _request(
        self,
        user_id: uuid.UUID,
        flow: Flow,
        inputs: RunInputs,
        *,
        session_id: str | None,
        data: Mapping[str, Any] | None,
        kind: RunKind,
        log_builds: bool = True,
    ) -> RunRequest:
        sessions = self._services.session
        session = await sessions.open(user_id, flow.id, session_id or str(flow.id))
        await sessions.turns.require_free(session)
        return RunRequest(
            user_id=user_id,
            flow=flow,
            document=await sessions.prepare(session, flow.data if data is None else data),
            session=session,
            inputs=inputs,
            kind=kind,
            log_builds=log_builds,
        )

    async def _submit(self, request: RunRequest, work: RunWork, timeout: float | None) -> Job:
        return await self._services.job_queue.submit(
            request.user_id,
            work,
            kind=request.kind.value,
            flow_id=request.flow.id,
            session_id=request.session.session_id,
            timeout=timeout,
        )


def _error(job_id: uuid.UUID, last: JobEvent | None) -> FlowRunError:
    data = {} if last is None else last.data
    if last is not None and last.type == "cancelled":
        return FlowRunError(job_id, "cancelled", "the run was cancelled")
    text = data.get("message") or data.get("error")
    return FlowRunError(job_id, data.get("code", "run_failed"), text if isinstance(text, str) else "the run failed")
