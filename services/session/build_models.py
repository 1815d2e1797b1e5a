"""What the session service keeps of runs: the results of vertices, and what they received and gave."""

import uuid
from datetime import datetime
from typing import Any

import msgspec

__all__ = ["Build", "NewBuild", "NewTransaction", "Transaction"]


class NewBuild(msgspec.Struct, frozen=True, kw_only=True):
    """The result of building a vertex, to be recorded.

    Attributes:
        id: The vertex.
        valid: Whether it succeeded.
        data: Its results, as JSON-like data.
        artifacts: What it shows of itself, as JSON-like data.
        params: A short text for people: the result, or the error.
    """

    id: str
    valid: bool
    data: dict[str, Any] | None = None
    artifacts: dict[str, Any] | None = None
    params: str | None = None


class Build(NewBuild, frozen=True, kw_only=True):
    """A recorded result of building a vertex."""

    build_id: uuid.UUID
    flow_id: uuid.UUID
    run_id: uuid.UUID | None
    timestamp: datetime


class NewTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a vertex received and gave, to be recorded.

    Attributes:
        vertex_id: The vertex.
        target_id: The vertex that its result went to, if it was one.
        inputs: What it received, as JSON-like data.
        outputs: What it gave, as JSON-like data.
        status: ``"success"`` or ``"error"``.
        error: Why it failed, safe to show.
    """

    vertex_id: str
    status: str
    target_id: str | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    error: str | None = None


class Transaction(NewTransaction, frozen=True, kw_only=True):
    """A recorded exchange of a vertex."""

    id: uuid.UUID
    flow_id: uuid.UUID
    run_id: uuid.UUID | None
    timestamp: datetime
