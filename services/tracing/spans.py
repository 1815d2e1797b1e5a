"""Runs and spans as callers see them. These record nothing: they stand in where tracing is off, or there is no run."""

import uuid
from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, cast

import structlog

from bedplate.services.engines.trace_context import TraceContext, active
from bedplate.services.tracing.guard import Guard
from bedplate.services.tracing.models import SpanKind, Status

__all__ = ["NO_SPAN", "Run", "Span", "current"]


class Span:
    """A step of a run. No method raises an ``Exception``, and none waits.

    As a context manager it is the current span of its block, and of the tasks and threads begun inside; the block's
    end ends it, as an error or a cancellation if one leaves the block.
    """

    __slots__ = ()

    @property
    def recording(self) -> bool:
        """Whether it will be seen by anyone; False spares the preparing of what nobody records."""
        return False

    @property
    def trace_context(self) -> TraceContext | None:
        """Where a call to another system goes on with the trace (W3C Trace Context); None if it is not recorded."""
        return None

    def log(self, message: str, *, level: str = "info", data: Any = None) -> None:
        """Note something that happened in it.

        Args:
            message: What happened.
            level: Such as ``"info"`` or ``"error"``.
            data: Anything that belongs to it.
        """

    def set(self, **metadata: Any) -> None:
        """Add to its metadata, such as ``model="…"``."""

    def end(
        self,
        *,
        outputs: Any = None,
        error: BaseException | str | None = None,
        usage: Any = None,
        status: Status | None = None,
    ) -> None:
        """End it; a second end changes nothing.

        Args:
            outputs: What it gave.
            error: Why it failed; its status is then ``error``.
            usage: Tokens: a mapping or object with ``input_tokens`` and ``output_tokens``, or ``prompt_tokens`` and
                ``completion_tokens``. Give it on the span that used them, not on those around it: they are added up.
            status: How it ended, where neither ``ok`` nor ``error`` is right.
        """

    def start_span(
        self,
        name: str,
        *,
        kind: SpanKind | str = SpanKind.CHAIN,
        inputs: Any = None,
        key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "Span":
        """Begin a step inside this one; the arguments are those of :meth:`Run.start_span`."""
        return NO_SPAN

    def __enter__(self) -> "Span":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


NO_SPAN = Span()


class Run:
    """A run, from ``async with`` to its end. No method raises an ``Exception``, and none waits.

    Logs of its block, and of the tasks and threads begun inside, carry its id as ``run_id``.

    Attributes:
        id: The run.
    """

    def __init__(self, run_id: uuid.UUID, guard: Guard) -> None:
        self.id = run_id
        self._guard = guard
        self._log_tokens: dict[str, Token[Any]] = {}

    @property
    def recording(self) -> bool:
        """Whether it will be seen by anyone."""
        return False

    @property
    def trace_context(self) -> TraceContext | None:
        """Where a call to another system goes on with the trace (W3C Trace Context); None if it is not recorded."""
        return None

    def start_span(
        self,
        name: str,
        *,
        kind: SpanKind | str = SpanKind.CHAIN,
        inputs: Any = None,
        parent: Span | None = None,
        key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Span:
        """Begin a step.

        Args:
            name: What it is, for people.
            kind: What it does; one that is unknown counts as ``CHAIN``.
            inputs: What it is given.
            parent: The step that it is part of; None: the current span of this run, if there is one.
            key: What it is in the flow, such as the id of a vertex; :meth:`span_of` finds it by that.
            metadata: What else is to be noted.
        """
        return NO_SPAN

    def span_of(self, key: str) -> Span:
        """The step with this key that began last and has not ended; one that records nothing if there is none."""
        return NO_SPAN

    def set(self, **metadata: Any) -> None:
        """Add to the metadata of the run."""

    def end(
        self, *, outputs: Any = None, error: BaseException | str | None = None, status: Status | None = None
    ) -> None:
        """End it before its block ends; a second end changes nothing. The arguments are those of :meth:`Span.end`."""

    async def __aenter__(self) -> "Run":
        with self._guard:
            self._log_tokens = dict(structlog.contextvars.bind_contextvars(run_id=str(self.id)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._guard:
            structlog.contextvars.reset_contextvars(**self._log_tokens)


current = cast("ContextVar[Run | Span | None]", active)
"""The innermost run or span of this task or thread."""
