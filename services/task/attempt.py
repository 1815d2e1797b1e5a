"""One attempt at a run: calls the function, and ends it when it is asked to or takes too long."""

import asyncio
import contextlib
import time
import traceback
import uuid
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
from structlog.contextvars import bound_contextvars

from bedplate.services.database.repositories.task_run import Fence
from bedplate.services.engines.trace_context import TraceContext, continuing
from bedplate.services.engines.workers import WorkerPool
from bedplate.services.errors import BedplateError
from bedplate.services.task.arguments import encode_result
from bedplate.services.task.context import TaskContext
from bedplate.services.task.definition import TaskDefinition
from bedplate.services.task.errors import TaskArgumentsError, TaskResultError
from bedplate.services.task.models import Progress
from bedplate.services.task.retrying import GiveUp, Retry, Snooze

__all__ = ["Attempt", "Claim", "EndReason", "Outcome", "OutcomeKind"]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A run that this process holds.

    Attributes:
        id: The run.
        user_id: Its owner; None: the system.
        name: The task.
        arguments: JSON of what its function is given.
        attempt: Which start of the run this is, from 1.
        failures: How often its function has failed before.
        max_attempts: After so many failures it is not tried again.
        timeout: Seconds that the attempt may take.
        instance_id: This process.
        waited: Seconds that it was due before it was started.
        traceparent: The trace that it is part of (W3C Trace Context).
        tracestate: The header that belongs to it.
    """

    id: uuid.UUID
    user_id: uuid.UUID | None
    name: str
    arguments: str
    attempt: int
    failures: int
    max_attempts: int
    timeout: float
    instance_id: uuid.UUID
    waited: float
    traceparent: str | None = None
    tracestate: str | None = None

    @property
    def trace_context(self) -> TraceContext | None:
        """Where the trace that it is part of goes on."""
        return TraceContext.parse(self.traceparent, self.tracestate) if self.traceparent else None

    @property
    def fence(self) -> Fence:
        """What proves that this process still holds it."""
        return Fence(self.id, self.instance_id, self.attempt)


class EndReason(StrEnum):
    """Why an attempt is made to end before its function does."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"
    LOST = "lost"


class OutcomeKind(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"
    GIVEN_BACK = "given_back"
    LOST = "lost"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt.

    Attributes:
        kind: How it ended.
        result: JSON of what the function returned.
        error: Why it failed, for people.
        error_code: The stable identifier of why.
        traceback: Where it failed.
        final: Whether trying again would not help.
        after: Seconds before the next attempt, where the function asked for them.
        abandoned: Whether the function did not heed being asked to end, and may still run.
    """

    kind: OutcomeKind
    result: str | None = None
    error: str | None = None
    error_code: str | None = None
    traceback: str | None = None
    final: bool = False
    after: float | None = None
    abandoned: bool = False


class Attempt:
    """One attempt at a run.

    Args:
        claim: The run.
        definition: Its task.
        pool: The threads of plain functions.
        cancel_timeout: Seconds that the function may take to end when it is asked to.
        max_result_bytes: Largest result.
        reported: Called when the function has reported progress, from any thread.
        left_thread: Called when a plain function has left its thread.

    Attributes:
        in_thread: Whether a plain function is in its thread.
        progress: How far the function says it is.
        begun: When it was begun, on the clock of ``time.perf_counter``.
    """

    def __init__(
        self,
        claim: Claim,
        definition: TaskDefinition,
        pool: WorkerPool,
        *,
        cancel_timeout: float,
        max_result_bytes: int,
        reported: Callable[["Attempt"], None],
        left_thread: Callable[["Attempt"], None],
    ) -> None:
        self.claim = claim
        self.definition = definition
        self.progress: Progress | None = None
        self.begun = time.perf_counter()
        self._pool = pool
        self._cancel_timeout = cancel_timeout
        self._max_result_bytes = max_result_bytes
        self._left_thread = left_thread
        self._loop = asyncio.get_running_loop()
        self.in_thread = False
        self._asked: asyncio.Future[EndReason] = self._loop.create_future()

        def report(progress: Progress) -> None:
            self.progress = progress
            reported(self)

        self.context = TaskContext(
            run_id=claim.id, user_id=claim.user_id, name=claim.name, attempt=claim.attempt, reported=report
        )

    def ask_to_end(self, reason: EndReason) -> None:
        """Ask the function to end; only the first time counts."""
        if not self._asked.done():
            self._asked.set_result(reason)

    async def run(self) -> Outcome:
        """Call the function and say what came of it; never raises an ``Exception``."""
        work = self._loop.create_task(self._work(), name=f"bedplate-task-{self.claim.name}-{self.claim.id}")
        try:
            return await self._watch(work)
        finally:
            if not work.done():  # it does not heed being asked to end, or the process does not wait for it
                work.cancel()
                work.add_done_callback(_forget)

    async def _watch(self, work: "asyncio.Task[str]") -> Outcome:
        await asyncio.wait((work, self._asked), timeout=self.claim.timeout, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return self._outcome(work, None)
        reason = self._asked.result() if self._asked.done() else EndReason.TIMEOUT
        self.context._cancel()  # noqa: SLF001 - the two are one
        if not self.in_thread:
            work.cancel()
        await asyncio.wait((work,), timeout=self._cancel_timeout)
        if work.done():
            return self._outcome(work, reason)
        return self._ended(reason, abandoned=True)

    async def _work(self) -> str:
        with bound_contextvars(task_id=str(self.claim.id)), continuing(self.claim.trace_context):
            arguments = self.definition.arguments.decode(self.claim.arguments)
            if (name := self.definition.arguments.context) is not None:
                arguments[name] = self.context
            try:
                if self.definition.is_async:
                    result = await self.definition.function(**arguments)
                else:
                    result = await self._pool.run(self._call, arguments)
            except SystemExit as error:  # it would end the process
                raise GiveUp(f"it called sys.exit({error.code!r})") from error
            return encode_result(result, self._max_result_bytes)

    def _call(self, arguments: dict[str, Any]) -> Any:
        self.in_thread = True
        try:
            return self.definition.function(**arguments)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                self._loop.call_soon_threadsafe(self._leave_thread)

    def _leave_thread(self) -> None:
        self.in_thread = False
        self._left_thread(self)

    def _outcome(self, work: "asyncio.Task[str]", reason: EndReason | None) -> Outcome:
        if work.cancelled():
            error: BaseException | None = None
        elif (error := work.exception()) is None:
            return Outcome(kind=OutcomeKind.SUCCEEDED, result=work.result())
        if reason is not None:
            return self._ended(reason, abandoned=False)
        if error is None or isinstance(error, asyncio.CancelledError):
            return Outcome(
                kind=OutcomeKind.FAILED, error="The task cancelled itself.", error_code="task_cancelled_itself"
            )
        return self._failed(error)

    def _failed(self, error: BaseException) -> Outcome:
        if isinstance(error, Snooze):
            return Outcome(kind=OutcomeKind.SNOOZED, after=error.after)
        final = isinstance(error, GiveUp | TaskArgumentsError | TaskResultError)
        retried = isinstance(error, (Retry, *self.definition.options.retry_on))
        return Outcome(
            kind=OutcomeKind.FAILED,
            error=_text_of(error),
            error_code=error.code if isinstance(error, BedplateError) else "task_failed",
            traceback="".join(traceback.format_exception(error)),
            final=final or not retried,
            after=error.after if isinstance(error, Retry) else None,
        )

    def _ended(self, reason: EndReason, *, abandoned: bool) -> Outcome:
        if reason is EndReason.TIMEOUT:
            text = f"The task took longer than {self.claim.timeout:g} seconds."
            return Outcome(kind=OutcomeKind.FAILED, error=text, error_code="task_timeout", abandoned=abandoned)
        kinds = {
            EndReason.CANCEL: OutcomeKind.CANCELLED,
            EndReason.SHUTDOWN: OutcomeKind.GIVEN_BACK,
            EndReason.LOST: OutcomeKind.LOST,
        }
        return Outcome(kind=kinds[reason], abandoned=abandoned)


def _text_of(error: BaseException) -> str:
    """What people may read: the text of a foreign exception may carry an address or a path, and is in the traceback."""
    if isinstance(error, BedplateError):
        return str(error)
    return f"The task failed: {type(error).__name__}."


def _forget(task: "asyncio.Task[str]") -> None:
    if not task.cancelled():
        task.exception()
