"""One run of a flow, as the work of a job."""

import asyncio
import functools
import uuid
from typing import Any, NamedTuple

import msgspec
from pydantic import SecretStr

from bedplate.services.chat import ChatService, MessageStatus
from bedplate.services.database.models import new_id
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import BedplateError, UnavailableError
from bedplate.services.job_queue import JobLog, JobQueueService
from bedplate.services.logs import get_logger
from bedplate.services.session import (
    Flow,
    FlowSession,
    SessionBusyError,
    SessionNotFoundError,
    SessionService,
    SessionStatus,
)
from bedplate.services.session.runner import FlowDocument, RunContext, RunFailed, RunInputs, RunOutput
from bedplate.services.socket import SocketService
from bedplate.services.state import StateService
from bedplate.services.storage import StorageService
from bedplate.services.tracing import Run, TracingService
from bedplate.services.uninterrupted import uninterrupted
from bedplate.services.variable import VariableService
from bedplate.wiring.results import run_response
from bedplate.wiring.runs.announcer import Announcer
from bedplate.wiring.runs.consumer import RunConsumer, RunKind
from bedplate.wiring.runs.conversation import Conversation
from bedplate.wiring.runs.files import read_file_of
from bedplate.wiring.runs.records import Records
from bedplate.wiring.runs.results import BoundResults
from bedplate.wiring.runs.state import BoundState

__all__ = ["RunRequest", "RunServices", "RunWork"]

_log = get_logger("bedplate.execution")


class RunServices(NamedTuple):
    """The services that take part in a run."""

    session: SessionService
    chat: ChatService
    job_queue: JobQueueService
    tracing: TracingService
    variable: VariableService
    redactor: Redactor
    storage: StorageService
    state: StateService
    socket: SocketService


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run.

    Attributes:
        user_id: The owner of the flow, who runs it.
        flow: The flow.
        document: Its graph, checked.
        session: The session that it runs in.
        inputs: What is asked.
        kind: Which events the job has.
        log_builds: Whether builds are kept.
    """

    user_id: uuid.UUID
    flow: Flow
    document: FlowDocument
    session: FlowSession
    inputs: RunInputs
    kind: RunKind
    log_builds: bool = True


class RunWork:
    """Runs a flow once, and sees to it that all is stored before the log of the job is closed.

    Args:
        services: The services that take part.
        request: What is to be run.

    Attributes:
        outputs: What the run gave; None before that, and when it failed.
        response: The same as ``/run`` answers it.
    """

    def __init__(self, services: RunServices, request: RunRequest) -> None:
        self.outputs: tuple[RunOutput, ...] | None = None
        self.response: dict[str, Any] = {}
        self._services = services
        self._request = request
        self._run_id = new_id()
        # Of whoever asks for the run: when its turn comes, this is another context.
        self._trace_context = services.tracing.context()
        self._secrets: set[str] = set()
        self._touched = False
        self._state = BoundState(
            services.state, request.user_id, request.flow.id, request.session.session_id, self._run_id
        )
        owner = (request.user_id, request.flow.id, self._run_id)
        self._conversation = Conversation(services.chat, *owner)
        self._records = Records(services.session, *owner, log_builds=request.log_builds)

    async def __call__(self, log: JobLog) -> None:
        """Run the flow."""
        request = self._request
        async with self._services.tracing.run(
            run_id=self._run_id,
            user_id=request.user_id,
            flow_id=request.flow.id,
            session_id=request.session.session_id,
            name=request.flow.name,
            inputs={"input_value": request.inputs.input_value},
            metadata={"job_id": str(log.job_id), "kind": request.kind.value},
            context=self._trace_context,
        ) as trace:
            consumer = self._consumer(log, trace)
            outcome = await self._in_turn(consumer)
            if isinstance(outcome, RunFailed):
                trace.end(error=outcome.message)
                await consumer.fail(outcome)
                return
            self.outputs = outcome
            response = run_response(request.session.session_id, request.flow.id, request.inputs, outcome)
            self.response = self._services.redactor.value(response)
            trace.end(outputs=self.response["outputs"][0]["outputs"])
            log.append("end", {} if request.kind is RunKind.BUILD else {"result": self.response})

    async def _in_turn(self, consumer: RunConsumer) -> tuple[RunOutput, ...] | RunFailed:
        """Run when it is this run's turn in its session."""
        try:
            async with self._services.session.turns.turn(self._request.session):
                return await self._settle(consumer)
        except (SessionBusyError, SessionNotFoundError, UnavailableError) as error:
            return _failed(error)

    async def _settle(self, consumer: RunConsumer) -> tuple[RunOutput, ...] | RunFailed:
        """Run to the end, however it comes, and store what belongs to the run."""
        status = SessionStatus.FAILED
        try:
            # A cancellation in the middle would leave open whether the end has to be noted.
            await uninterrupted(self._touch())
            outcome = await self._consume(consumer)
            status = SessionStatus.FAILED if isinstance(outcome, RunFailed) else SessionStatus.IDLE
        except asyncio.CancelledError:
            status = SessionStatus.CANCELLED
            await consumer.break_off(MessageStatus.CANCELLED)
            raise
        except Exception as error:
            outcome = _failed(error)
        finally:
            try:
                await consumer.break_off(MessageStatus.PARTIAL)
                await self._records.store()
            finally:
                if self._touched:
                    await self._finish(status)
        return outcome

    async def _consume(self, consumer: RunConsumer) -> tuple[RunOutput, ...] | RunFailed:
        request = self._request
        try:
            return await consumer.consume(self._services.session.run(request.document, request.inputs, self._context()))
        finally:
            await uninterrupted(self._state.close())

    async def _touch(self) -> None:
        await self._services.session.touch(self._request.session)
        self._touched = True

    async def _finish(self, status: SessionStatus) -> None:
        try:
            await self._services.session.finish(self._request.session, status)
        except Exception as error:
            _log.warning("end of a run was not noted in its session", error=type(error).__name__)

    async def _secret(self, name: str) -> SecretStr:
        secret = await self._services.variable.resolve(self._request.user_id, name)
        self._secrets.add(secret.get_secret_value())
        return secret

    def _consumer(self, log: JobLog, trace: Run) -> RunConsumer:
        return RunConsumer(
            log,
            self._request.kind,
            conversation=self._conversation,
            records=self._records,
            trace=trace,
            announcer=Announcer(
                self._services.socket,
                user_id=self._request.user_id,
                flow_id=self._request.flow.id,
                session_id=self._request.session.session_id,
                job_id=log.job_id,
                document=self._request.document,
            ),
            redactor=self._services.redactor,
            secrets=self._secrets,
            session_id=self._request.session.session_id,
            flow_id=self._request.flow.id,
        )

    def _context(self) -> RunContext:
        return RunContext(
            run_id=self._run_id,
            user_id=self._request.user_id,
            flow_id=self._request.flow.id,
            session_id=self._request.session.session_id,
            history=self._conversation.history,
            secret=self._secret,
            read_file=functools.partial(read_file_of, self._services.storage, self._request.user_id),
            state=self._state,
            results=BoundResults(
                self._services.session.results,
                self._request.user_id,
                self._request.flow.id,
                self._request.session.session_id,
                document=self._request.document,
                secrets=self._secrets,
            ),
        )


def _failed(error: Exception) -> RunFailed:
    if isinstance(error, BedplateError):
        return RunFailed(code=error.code, message=error.what, fix=error.fix)
    _log.error("run failed", exc_info=error)
    return RunFailed(code="run_failed", message=f"the run failed with {type(error).__name__}")
