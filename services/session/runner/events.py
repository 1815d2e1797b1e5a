"""What a run reports while it goes on: a tagged union of plain values, in the order in which things happen.

The order is: one :class:`VerticesSorted`; then for each vertex one :class:`VertexStarted`, its
:class:`MessageProduced` and :class:`TokenStreamed`, and one :class:`VertexFinished`, those of independent vertices
interleaved; at last exactly one :class:`RunFinished` or :class:`RunFailed`. A vertex starts only after those that it
takes values from have finished. A run that cannot begin is one :class:`RunFailed` alone; one that is cancelled ends
without a last event.
"""

import uuid
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

__all__ = [
    "MessageProduced",
    "OutputValue",
    "RunEvent",
    "RunFailed",
    "RunFinished",
    "RunMessage",
    "RunOutput",
    "TokenStreamed",
    "TokenUsage",
    "VertexFinished",
    "VertexStarted",
    "VerticesSorted",
]


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a language model counted.

    Attributes:
        input_tokens: Tokens of the messages sent.
        output_tokens: Tokens of the answer.
        total_tokens: Both, as the endpoint counts them.
        model: The model that answered.
        finish_reason: Why its last answer ended, as it says: ``"stop"``, ``"length"``.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    model: str | None = None
    finish_reason: str | None = None


class RunMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A chat message that a run produces, or reads from its history.

    Attributes:
        id: The message; one that is produced again under the same id replaces the earlier one.
        session_id: The chat session that it belongs to.
        text: What it says.
        sender: ``"User"`` or ``"Machine"``.
        sender_name: Who says it, for people.
        files: Paths of attached files.
        properties: Colours, icon, source and state, as clients of the REST contract read them.
        category: ``"message"`` or ``"error"``.
        content_blocks: Structured content beside the text.
        error: Whether it reports an error.
        timestamp: When it was made, in UTC.
        store: Whether it is kept in the chat history.
    """

    id: uuid.UUID
    session_id: str
    text: str
    sender: str
    sender_name: str
    files: tuple[str, ...] = ()
    properties: dict[str, Any] = {}
    category: str = "message"
    content_blocks: tuple[dict[str, Any], ...] = ()
    error: bool = False
    timestamp: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    store: bool = True


class OutputValue(msgspec.Struct, frozen=True, kw_only=True):
    """One output of a vertex.

    Attributes:
        type: ``"message"``, ``"text"``, ``"data"``, ``"array"``, ``"object"`` or ``"unknown"``.
        value: The value as JSON-like data; a live object is represented by the name of its type.
    """

    type: str
    value: Any


class RunOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the vertices that were asked for gave.

    Attributes:
        vertex_id: The vertex.
        display_name: What people call it.
        component: The name of its component type.
        outputs: Its outputs by name.
        artifacts: What it shows of itself, as JSON-like data.
        message: The chat message that it produced last, if any.
        duration_ms: How long it took, in milliseconds.
        reused: Whether it is frozen and gave what it gave before.
    """

    vertex_id: str
    display_name: str
    component: str
    outputs: dict[str, OutputValue]
    artifacts: dict[str, Any]
    message: RunMessage | None = None
    duration_ms: float = 0.0
    reused: bool = False


class VerticesSorted(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="vertices_sorted"):
    """The run begins.

    Attributes:
        ids: The vertices that need no other.
        to_run: All vertices of this run, in topological order.
    """

    ids: tuple[str, ...]
    to_run: tuple[str, ...]


class VertexStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="vertex_started"):
    """A vertex has its inputs and begins.

    Attributes:
        vertex_id: The vertex.
        name: What people call it.
        kind: What it is to a trace: ``"llm"``, ``"prompt"``, ``"retriever"``, ``"tool"`` or ``"chain"``.
        inputs: Its inputs as JSON-like data; fields that hold secrets are left out.
        component: The name of its component type.
        parent_ids: The vertices that it takes values from.
    """

    vertex_id: str
    name: str
    kind: str
    inputs: dict[str, Any]
    component: str = ""
    parent_ids: tuple[str, ...] = ()


class TokenStreamed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="token"):
    """A language model said a little more.

    Attributes:
        vertex_id: The vertex that streams.
        message_id: The partial message that the text goes to the end of.
        text: The piece of text.
    """

    vertex_id: str
    message_id: uuid.UUID
    text: str


class MessageProduced(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="message"):
    """A chat message was made, or made again.

    Attributes:
        vertex_id: The vertex that made it.
        message: The message.
        partial: True: its text will come by :class:`TokenStreamed`, and the whole message at the end.
    """

    vertex_id: str
    message: RunMessage
    partial: bool = False


class VertexFinished(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="vertex_finished"):
    """A vertex has ended.

    Attributes:
        vertex_id: The vertex.
        valid: Whether it succeeded.
        outputs: Its outputs by name; empty when it failed.
        artifacts: What it shows of itself, as JSON-like data.
        params: A short text for people: the result, or the error.
        error: Why it failed, safe to show; None when it did not.
        usage: What a language model counted, if it was one.
        duration_ms: How long it took, in milliseconds.
        next_ids: The vertices that can start now.
        reused: Whether it is frozen and gave what it gave before.
    """

    vertex_id: str
    valid: bool
    outputs: dict[str, OutputValue] = {}
    artifacts: dict[str, Any] = {}
    params: str = ""
    error: str | None = None
    usage: TokenUsage | None = None
    duration_ms: float = 0.0
    next_ids: tuple[str, ...] = ()
    reused: bool = False


class RunFailed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run_failed"):
    """The run ended without a result; nothing follows.

    Attributes:
        code: A stable identifier of the kind of failure, such as ``"llm_unreachable"``.
        message: What went wrong, safe to show: no key, no address, no traceback.
        vertex_id: Where, or None when it was no single vertex.
        fix: What to do about it.
    """

    code: str
    message: str
    vertex_id: str | None = None
    fix: str | None = None


class RunFinished(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run_finished"):
    """The run ended well; nothing follows.

    Attributes:
        outputs: What the vertices that were asked for gave, in topological order.
    """

    outputs: tuple[RunOutput, ...]


RunEvent: TypeAlias = (
    VerticesSorted | VertexStarted | TokenStreamed | MessageProduced | VertexFinished | RunFailed | RunFinished
)
"""Any event of a run; ``msgspec.json.Decoder(RunEvent)`` reads what an encoder wrote."""
