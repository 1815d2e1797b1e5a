"""What an exporter is given, and what the tracing service asks of it."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from bedplate.services.engines.trace_context import TraceContext
from bedplate.services.tracing.models import SpanKind, Status, TokenUsage

__all__ = ["Exporter", "Record", "RunInfo", "RunRecord", "SpanRecord"]


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the records of a run and of all its spans have in common.

    Attributes:
        id: The run.
        user_id: The owner.
        flow_id: The flow that runs, if any.
        session_id: The session that it runs in.
        name: What runs.
        trace_id: The trace that it is part of, 128 bits.
        span_id: The span that it is, 64 bits.
        upstream: What it goes on under; None: it begins the trace.
        sampled: Whether it is among those that vendors are told of in any case, errors or not.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    flow_id: uuid.UUID | None
    session_id: str | None
    name: str
    trace_id: int
    span_id: int
    upstream: TraceContext | None = None
    sampled: bool = True


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run or span as it is at one moment; a later record of the same id replaces an earlier one.

    Everything in it is redacted, and made of what JSON knows.

    Attributes:
        id: The run or span.
        user_id: The owner.
        size: Bytes of its contents, roughly.
        run: What it has in common with the other records of its run.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    name: str
    status: Status
    error: str | None = None
    inputs: Any = None
    outputs: Any = None
    metadata: dict[str, Any] = {}
    usage: TokenUsage = TokenUsage()
    started_at: datetime
    ended_at: datetime | None = None
    size: int = 0
    run: RunInfo | None = None


class RunRecord(Record, frozen=True, kw_only=True):
    """A run."""

    flow_id: uuid.UUID | None = None
    session_id: str | None = None


class SpanRecord(Record, frozen=True, kw_only=True):
    """A step of a run."""

    run_id: uuid.UUID
    parent_id: uuid.UUID | None = None
    key: str | None = None
    kind: SpanKind = SpanKind.CHAIN
    logs: list[dict[str, Any]] = []


class Exporter(Protocol):
    """Takes records somewhere. Called by one task, one call at a time, off the path of any run.

    Attributes:
        name: For metrics and logs.
        is_read_back: Whether what it takes is what the service reads, so that readers wait for it.
    """

    name: str
    is_read_back: bool

    async def export(self, records: Sequence[Record]) -> int:
        """Take these records, all or none; how many were refused for good, such as those of a deleted user.

        Raises:
            UnavailableError: The other side is down; they are kept and tried again.
            Exception: They could not be taken; they are tried again a few times.
        """
        ...

    async def touch(self, run_ids: Sequence[uuid.UUID]) -> None:
        """Note that these runs are still going on."""
        ...
