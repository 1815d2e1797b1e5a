"""Reads the events of one run and tells everybody who wants to know."""

import uuid
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from enum import StrEnum

from bedplate.services.chat import MessageStatus
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import with_fix
from bedplate.services.job_queue import JobLog
from bedplate.services.logs import get_logger
from bedplate.services.session.runner import (
    MessageProduced,
    RunEvent,
    RunFailed,
    RunFinished,
    RunMessage,
    RunOutput,
    TokenStreamed,
    VertexFinished,
    VertexStarted,
    VerticesSorted,
)
from bedplate.services.tracing import Run
from bedplate.wiring.runs.announcer import Announcer
from bedplate.wiring.runs.conversation import Conversation
from bedplate.wiring.runs.masking import StreamMask
from bedplate.wiring.runs.records import Records
from bedplate.wiring.runs.shapes import build_data, error_message, message_data

__all__ = ["RunConsumer", "RunKind"]

_log = get_logger("bedplate.execution")


class RunKind(StrEnum):
    """Which events a run writes to its job: a build tells of every vertex, a run of messages only."""

    BUILD = "build"
    RUN = "run"


class RunConsumer:
    """Turns run events into job events, chat messages, records and spans; everything masked on its way out.

    A message is stored before the event that shows it. When storing one fails the run fails, for the next run would
    not remember it; spans and records may be lost without harm to the run.

    Args:
        log: The log of the job.
        kind: Which events go there.
        conversation: Stores messages.
        records: Stores builds and transactions.
        trace: The run, as it is traced.
        announcer: Tells those who watch.
        redactor: Masks secrets.
        secrets: Secrets that this run has read, to be masked also where they come in pieces.
        session_id: The chat session.
        flow_id: The flow.
    """

    def __init__(
        self,
        log: JobLog,
        kind: RunKind,
        *,
        conversation: Conversation,
        records: Records,
        trace: Run,
        announcer: Announcer,
        redactor: Redactor,
        secrets: Collection[str],
        session_id: str,
        flow_id: uuid.UUID,
    ) -> None:
        self._log = log
        self._kind = kind
        self._conversation = conversation
        self._records = records
        self._trace = trace
        self._announcer = announcer
        self._redactor = redactor
        self._secrets = secrets
        self._session_id = session_id
        self._flow_id = flow_id
        self._masks: dict[uuid.UUID, StreamMask] = {}
        self._names: dict[str, str] = {}

    async def consume(self, events: AsyncGenerator[RunEvent, None]) -> tuple[RunOutput, ...] | RunFailed:
        """Read to the end; returns what the run gave, or why it failed."""
        async with aclosing(events):
            async for event in events:
                match event:
                    case TokenStreamed():
                        self._token(event)
                    case MessageProduced():
                        await self._message(event)
                    case VertexStarted():
                        self._vertex_started(event)
                    case VertexFinished():
                        await self._vertex_finished(event)
                    case VerticesSorted():
                        self._tell_build("vertices_sorted", {"ids": list(event.ids), "to_run": list(event.to_run)})
                        self._announcer.order(event.to_run)
                    case RunFailed():
                        return event
                    case RunFinished():
                        return event.outputs
        return RunFailed(code="run_ended", message="the run ended without a result")

    async def break_off(self, status: MessageStatus) -> None:
        """Store and show what has come of messages whose text was still coming; never raises an ``Exception``."""
        try:
            for message in await self._conversation.break_off(status):
                self._tell_message(message)
        except Exception as error:
            _log.warning("unfinished message was not stored", error=type(error).__name__)

    async def fail(self, failed: RunFailed) -> None:
        """Store and tell why the run failed; this closes the log."""
        component = None if failed.vertex_id is None else self._names.get(failed.vertex_id)
        message = error_message(failed, self._session_id, component)
        try:
            await self._conversation.finish(message)
        except Exception as error:
            _log.warning("error message was not stored", error=type(error).__name__)
        text = with_fix(message.text, failed.fix)
        data = message_data(message, self._flow_id) | {"code": failed.code, "message": text}
        data = self._redactor.value(data)
        self._log.append("error", data)
        shown = {name: value for name, value in data.items() if name not in ("code", "message")}
        self._announcer.message(shown, partial=False)
        self._announcer.failed(failed.code, data["text"], failed.fix)

    def _token(self, event: TokenStreamed) -> None:
        self._conversation.add(event.message_id, event.text)
        mask = self._masks.get(event.message_id)
        if mask is None:
            mask = self._masks[event.message_id] = StreamMask(self._redactor.text, self._secrets)
        self._tell_token(event.message_id, mask.feed(event.text))

    async def _message(self, event: MessageProduced) -> None:
        message = event.message
        if event.partial:
            self._conversation.begin(message)
        else:
            await self._conversation.finish(message)
        self._tell_message(message, partial=event.partial)

    def _vertex_started(self, event: VertexStarted) -> None:
        self._names[event.vertex_id] = event.name
        self._records.started(event)
        self._trace.start_span(
            event.name,
            kind=event.kind,
            inputs=event.inputs,
            key=event.vertex_id,
            metadata={"component": event.component, "vertex_id": event.vertex_id},
        )

    async def _vertex_finished(self, event: VertexFinished) -> None:
        outputs = {name: output.value for name, output in event.outputs.items()}
        span = self._trace.span_of(event.vertex_id)
        if event.usage is not None:
            known = {"response_model": event.usage.model, "finish_reason": event.usage.finish_reason}
            span.set(**{name: text for name, text in known.items() if text})
        span.end(outputs=outputs, error=event.error, usage=event.usage)
        await self._records.finished(event)
        if self._kind is RunKind.BUILD or self._announcer.watched:
            build = self._redactor.value(build_data(event))
            self._tell_build("end_vertex", {"build_data": build})
            self._announcer.vertex(build)

    def _tell_build(self, kind: str, data: dict[str, object]) -> None:
        if self._kind is RunKind.BUILD:
            self._log.append(kind, data)

    def _tell_message(self, message: RunMessage, *, partial: bool = False) -> None:
        mask = self._masks.pop(message.id, None)
        if mask is not None:
            self._tell_token(message.id, mask.rest())
        data = self._redactor.value(message_data(message, self._flow_id))
        self._log.append("add_message", data)
        self._announcer.message(data, partial=partial)

    def _tell_token(self, message_id: uuid.UUID, text: str) -> None:
        if text:
            self._log.append("token", {"chunk": text, "id": str(message_id)})
            self._announcer.token(str(message_id), text)
