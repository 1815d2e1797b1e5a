"""What crosses the boundary of the tracing service."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

__all__ = ["SpanKind", "SpanNode", "Status", "TokenUsage", "Trace", "TracePage", "TraceTree"]


class Status(StrEnum):
    """How a run or span ended, or that it has not."""

    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its process stopped or died, or its run ended before it did."""


class SpanKind(StrEnum):
    """What a span does: the kinds of OpenInference."""

    LLM = "LLM"
    EMBEDDING = "EMBEDDING"
    CHAIN = "CHAIN"
    RETRIEVER = "RETRIEVER"
    RERANKER = "RERANKER"
    TOOL = "TOOL"
    AGENT = "AGENT"
    GUARDRAIL = "GUARDRAIL"
    EVALUATOR = "EVALUATOR"
    PROMPT = "PROMPT"

    @classmethod
    def _missing_(cls, value: object) -> "SpanKind":
        name = value.upper() if isinstance(value, str) else ""
        return cls(name) if name in cls.__members__ and name != value else cls.CHAIN


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that a language model counted.

    Attributes:
        input_tokens: Of what was sent.
        output_tokens: Of the answer.
    """

    input_tokens: int = 0
    output_tokens: int = 0


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A run.

    Attributes:
        id: The run.
        user_id: The owner.
        flow_id: The flow that ran; None once it is deleted.
        session_id: The session that it ran in.
        name: What ran, for people.
        status: How it ended; one that is running and gives no sign of life is interrupted.
        error: Why it did not end well.
        inputs: What it was given; None in lists.
        outputs: What it gave; None in lists.
        metadata: What its starter noted.
        usage: Tokens of all its spans.
        started_at: When it began.
        ended_at: When it ended; None while it runs, and where it was interrupted by a crash.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    flow_id: uuid.UUID | None
    session_id: str | None
    name: str
    status: Status
    error: str | None
    inputs: Any
    outputs: Any
    metadata: dict[str, Any]
    usage: TokenUsage
    started_at: datetime
    ended_at: datetime | None


class TracePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some runs, latest first.

    Attributes:
        items: The runs, without inputs and outputs.
        next_cursor: Where the next page begins; None on the last.
    """

    items: tuple[Trace, ...]
    next_cursor: str | None


class SpanNode(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run with the steps inside it.

    Attributes:
        key: What the step is in the flow, such as the id of a vertex.
        logs: Entries with ``time``, ``level``, ``message`` and, where given, ``data``.
        children: In the order in which they began.
    """

    id: uuid.UUID
    key: str | None
    name: str
    kind: SpanKind
    status: Status
    error: str | None
    inputs: Any
    outputs: Any
    logs: list[dict[str, Any]]
    metadata: dict[str, Any]
    usage: TokenUsage
    started_at: datetime
    ended_at: datetime | None
    children: tuple["SpanNode", ...] = ()


class TraceTree(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its steps.

    Attributes:
        trace: The run.
        spans: The outermost steps, in the order in which they began.
    """

    trace: Trace
    spans: tuple[SpanNode, ...]
