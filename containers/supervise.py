"""Runs a graph of coroutines: each when those before it are done, each within its time, none able to stop the rest."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

from bedplate.containers.errors import StepTimeoutError
from bedplate.services.errors import LifecycleError

__all__ = ["Limits", "Outcome", "Step", "acquire_uninterrupted", "supervise"]

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Limits:
    """The time of a step.

    Attributes:
        timeout: Seconds after which it is cancelled.
        grace: Seconds that it may then take to end; after that it is left alone.
    """

    timeout: float
    grace: float


@dataclass(frozen=True)
class Step(Generic[K]):
    """One node of the graph.

    Attributes:
        key: What the step is about.
        after: The keys of the steps that end before it begins.
        run: What it does.
        limits: Says, when it begins, how long it may take.
    """

    key: K
    after: frozenset[K]
    run: Callable[[], Awaitable[object]]
    limits: Callable[[], Limits]


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        error: What it failed with; None if it did not.
        cancelled: Whether it was cancelled because the whole was given up.
        seconds: How long it took.
    """

    error: BaseException | None
    cancelled: bool
    seconds: float


@dataclass
class _Running(Generic[K]):
    step: Step[K]
    limits: Limits
    begun: float
    deadline: float
    timed_out: bool = False
    given_up: bool = False
    ended: float | None = None


async def supervise(
    steps: list[Step[K]],
    settle: Callable[[K, Outcome], bool],
    *,
    verb: str,
    give_up_when_cancelled: bool,
) -> asyncio.CancelledError | None:
    """Run all steps and return when the last has ended.

    Args:
        steps: A graph without cycles; what is named in ``after`` and is not a step counts as done.
        settle: Told of each end; returns False to give up: what runs is cancelled, nothing more begins.
        verb: What the steps do, for errors.
        give_up_when_cancelled: Whether a cancellation of the caller gives up too. If not, all goes on as if there were
            none; a step that is cancelled by somebody else is then begun again within the time that it has left.

    Returns:
        The cancellation of the caller, if there was one, for it to raise when it has finished.
    """
    return await _Supervision(steps, settle, verb, give_up_when_cancelled).run()


class _Supervision(Generic[K]):
    def __init__(
        self, steps: list[Step[K]], settle: Callable[[K, Outcome], bool], verb: str, give_up_when_cancelled: bool
    ) -> None:
        self._waiting = {step.key: step for step in steps}
        self._unfinished = set(self._waiting)
        self._running: dict[asyncio.Task[object], _Running[K]] = {}
        self._settle = settle
        self._verb = verb
        self._give_up_when_cancelled = give_up_when_cancelled
        self._giving_up = False
        self._now = asyncio.get_running_loop().time

    async def run(self) -> asyncio.CancelledError | None:
        cancelled: asyncio.CancelledError | None = None
        while True:
            self._begin_what_is_ready()
            if not self._running:
                return cancelled
            try:
                # A cancelled scope of anyio cancels at every await again, which would have this loop spin.
                with anyio.CancelScope(shield=cancelled is not None or not self._give_up_when_cancelled):
                    await asyncio.wait(
                        self._running, timeout=self._until_next_deadline(), return_when=asyncio.FIRST_COMPLETED
                    )
            except asyncio.CancelledError as error:
                cancelled = error
                if self._give_up_when_cancelled:
                    self._give_up()
            self._collect()
            self._enforce_deadlines()

    def _begin_what_is_ready(self) -> None:
        if self._giving_up:
            return
        ready = [step for step in self._waiting.values() if not step.after & self._unfinished]
        for step in ready:
            del self._waiting[step.key]
            limits = step.limits()
            now = self._now()
            self._begin(_Running(step, limits, begun=now, deadline=now + limits.timeout))

    def _begin(self, running: _Running[K]) -> None:
        task = asyncio.get_running_loop().create_task(self._run(running), name=f"bedplate-{self._verb}")
        self._running[task] = running

    async def _run(self, running: _Running[K]) -> object:
        running.begun = self._now()
        try:
            return await running.step.run()
        finally:
            running.ended = self._now()

    def _until_next_deadline(self) -> float:
        return max(0.0, min(running.deadline for running in self._running.values()) - self._now())

    def _collect(self) -> None:
        for task in [task for task in self._running if task.done()]:
            running = self._running.pop(task)
            error: BaseException | None
            if running.timed_out:
                error = self._timeout(running)
                if not task.cancelled():
                    error.__cause__ = task.exception()
            elif task.cancelled() and running.given_up:
                error = None
            elif task.cancelled() and task.cancelling() and not self._give_up_when_cancelled:
                self._begin(running)  # somebody has cancelled all tasks that there are; this one is not theirs
                continue
            elif task.cancelled():
                error = LifecycleError("it was cancelled from within")
            else:
                error = task.exception()
            self._end(running, error, cancelled=running.given_up and task.cancelled())

    def _enforce_deadlines(self) -> None:
        now = self._now()
        for task, running in list(self._running.items()):
            if now < running.deadline:
                continue
            if running.timed_out or running.given_up:
                # It does not react to cancellation. Waiting for it would hold up all the others.
                del self._running[task]
                task.add_done_callback(_forget)
                self._end(running, self._timeout(running), cancelled=False)
            else:
                running.timed_out = True
                running.deadline = now + running.limits.grace
                task.cancel()

    def _end(self, running: _Running[K], error: BaseException | None, *, cancelled: bool) -> None:
        self._unfinished.discard(running.step.key)
        ended = running.ended or self._now()
        outcome = Outcome(error=error, cancelled=cancelled, seconds=ended - running.begun)
        if not self._settle(running.step.key, outcome):
            self._give_up()

    def _give_up(self) -> None:
        self._giving_up = True
        for task, running in self._running.items():
            if not running.given_up and not running.timed_out:
                running.given_up = True
                running.deadline = self._now() + running.limits.grace
                task.cancel()

    def _timeout(self, running: _Running[K]) -> StepTimeoutError:
        return StepTimeoutError(
            f"did not {self._verb} within {running.limits.timeout:g} s",
            fix=f"find out what it waits for, or raise its {self._verb}_timeout",
        )


async def acquire_uninterrupted(lock: asyncio.Lock) -> asyncio.CancelledError | None:
    """Wait for the lock, whatever cancels the caller; return the cancellation, for it to raise when it has finished."""
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            with anyio.CancelScope(shield=True):
                await lock.acquire()
        except asyncio.CancelledError as error:
            cancelled = error
        else:
            return cancelled


def _forget(task: asyncio.Task[object]) -> None:
    if not task.cancelled():
        task.exception()
