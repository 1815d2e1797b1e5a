"""What a component may ask of the run that builds it."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from bedplate.services.session.runner.component import LanguageModelEndpoint, Toolbox
from bedplate.services.session.runner.events import MessageProduced, RunEvent, RunMessage, TokenStreamed, TokenUsage
from bedplate.services.session.runner.port import HistoryQuery, RunContext, RunState

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx

__all__ = ["VertexContext"]

T = TypeVar("T")


class VertexContext:
    """The run, as the component of one vertex sees it.

    Args:
        run: The run.
        toolbox: What the process lends.
        emit: Passes an event on; waits while its reader is behind.
        vertex_id: The vertex.
        display_name: What people call it.
        icon: What editors show of it.
        wanted: The outputs that somebody takes.
        streams: Whether a chat output takes what it says.
    """

    def __init__(
        self,
        run: RunContext,
        toolbox: Toolbox,
        emit: Callable[[RunEvent], Awaitable[None]],
        *,
        vertex_id: str,
        display_name: str,
        icon: str,
        wanted: frozenset[str],
        streams: bool,
    ) -> None:
        self._run = run
        self._toolbox = toolbox
        self._emit = emit
        self._display_name = display_name
        self._icon = icon
        self._streams = streams
        self._partial: RunMessage | None = None
        self.vertex_id = vertex_id
        self.wanted = wanted
        self.message: RunMessage | None = None
        """The chat message that the component announced last."""
        self.usage: TokenUsage | None = None
        """What it reported of its use of language models."""

    @property
    def run_id(self) -> uuid.UUID:
        """The run."""
        return self._run.run_id

    @property
    def flow_id(self) -> uuid.UUID:
        """The flow that runs."""
        return self._run.flow_id

    @property
    def session_id(self) -> str:
        """The session that the run belongs to."""
        return self._run.session_id

    @property
    def http(self) -> "httpx.AsyncClient":
        """The pooled client of the process."""
        return self._toolbox.http()

    @property
    def llm(self) -> LanguageModelEndpoint:
        """The endpoint that language models are called at."""
        return self._toolbox.llm

    @property
    def state(self) -> RunState:
        """Values that the vertices of the run share."""
        return self._run.state

    def shared(
        self, key: str, make: Callable[[], Awaitable[T]], *, close: Callable[[T], object] | None = None
    ) -> "AbstractAsyncContextManager[T]":
        """A live object of the user who runs the flow, made once and kept for other runs of theirs."""
        return self._toolbox.shared(self._run.user_id, key, make, close=close)

    async def secret(self, name: str) -> SecretStr:
        """The value of a variable of the user who runs the flow."""
        return await self._run.secret(name)

    async def read_file(self, path: str) -> bytes:
        """The content of a file of the user who runs the flow."""
        return await self._run.read_file(path)

    async def history(
        self,
        *,
        session_id: str | None = None,
        limit: int = 100,
        newest_first: bool = False,
        sender: str | None = None,
        sender_name: str | None = None,
    ) -> Sequence[RunMessage]:
        """The newest messages of earlier runs of a session (None: of this run's) in the order asked for."""
        return await self._run.history(
            HistoryQuery(
                session_id=session_id or self._run.session_id,
                limit=limit,
                newest_first=newest_first,
                sender=sender,
                sender_name=sender_name,
            )
        )

    async def stream_token(self, text: str) -> uuid.UUID | None:
        """Pass on a piece of text, to a message that is announced as partial before the first one."""
        if not self._streams:
            return None
        if self._partial is None:
            source = {"id": self.vertex_id, "display_name": self._display_name, "source": self._display_name}
            self._partial = RunMessage(
                id=self._run.new_id(),
                session_id=self._run.session_id,
                text="",
                sender="Machine",
                sender_name="AI",
                properties=_properties({"icon": self._icon, "source": source}, state="partial"),
            )
            await self._emit(MessageProduced(vertex_id=self.vertex_id, message=self._partial, partial=True))
        await self._emit(TokenStreamed(vertex_id=self.vertex_id, message_id=self._partial.id, text=text))
        return self._partial.id

    def report_usage(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        total_tokens: int = 0,
        model: str | None = None,
        finish_reason: str | None = None,
    ) -> None:
        """Add what a language model counted."""
        before = self.usage or TokenUsage()
        self.usage = TokenUsage(
            input_tokens=before.input_tokens + input_tokens,
            output_tokens=before.output_tokens + output_tokens,
            total_tokens=before.total_tokens + (total_tokens or input_tokens + output_tokens),
            model=model or before.model,
            finish_reason=finish_reason or before.finish_reason,
        )

    async def emit_message(
        self,
        text: str,
        *,
        sender: str,
        sender_name: str,
        message_id: uuid.UUID | None = None,
        session_id: str | None = None,
        files: Sequence[str] = (),
        properties: Mapping[str, Any] | None = None,
        store: bool = True,
    ) -> uuid.UUID:
        """Announce a finished message of the conversation and return its id."""
        self.message = RunMessage(
            id=message_id or self._run.new_id(),
            session_id=session_id or self._run.session_id,
            text=text,
            sender=sender,
            sender_name=sender_name,
            files=tuple(files),
            properties=_properties(properties or {}, state="complete"),
            store=store,
        )
        await self._emit(MessageProduced(vertex_id=self.vertex_id, message=self.message))
        return self.message.id

    def artifacts(self) -> dict[str, Any]:
        """What the vertex shows of itself: the message that it announced."""
        message = self.message
        if message is None:
            return {}
        return {
            "message": message.text,
            "sender": message.sender,
            "sender_name": message.sender_name,
            "files": list(message.files),
            "type": "object",
        }


def _properties(given: Mapping[str, Any], *, state: str) -> dict[str, Any]:
    """The properties of a message, with all that clients of the REST contract find there."""
    return {
        "text_color": "",
        "background_color": "",
        "edited": False,
        "source": {"id": None, "display_name": None, "source": None},
        "icon": "",
        "allow_markdown": False,
        "positive_feedback": None,
        "targets": [],
        **given,
        "state": state,
    }
