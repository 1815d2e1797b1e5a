"""Starts and stops what a plan names: along the graph, each service within its time, all or nothing."""

import asyncio
import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bedplate.containers.budget import StopBudget
from bedplate.containers.doctor import backends_of, examine
from bedplate.containers.entering import Entered, Entering, leave
from bedplate.containers.errors import StartError, StopError, hide_credentials, reason
from bedplate.containers.graph import ProviderLike
from bedplate.containers.plan import Node, Plan
from bedplate.containers.records import left_out, record_of
from bedplate.containers.report import Record, Report, State
from bedplate.containers.requirements import refuse_incomplete
from bedplate.containers.supervise import Limits, Outcome, Step, acquire_uninterrupted, supervise
from bedplate.services.checks import Severity
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService

__all__ = ["Lifecycle"]

_log = get_logger("bedplate.containers")

_PATIENCE = 5.0
"""Seconds that the checks of a start may take."""


@dataclass
class _Failures:
    """The services that failed: the error of each by name, and in words."""

    errors: dict[str, BaseException] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, error: BaseException, why: str) -> None:
        self.errors[name], self.reasons[name] = error, why


class Lifecycle:
    """The starts and stops of one container.

    Args:
        plan: Makes the plan of a start of the given providers (empty: of all that is needed).

    Attributes:
        report: What happened last.
    """

    def __init__(self, plan: Callable[[Iterable[ProviderLike]], Plan]) -> None:
        self._plan = plan
        self._entered: dict[ProviderLike, Entered] = {}
        self._entering = Entering(self._entered)
        self._gate: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._stop_budget = 0.0
        self.report = Report()

    @property
    def entered(self) -> bool:
        """Whether the start of something has begun that has not been stopped since."""
        return bool(self._entered)

    @property
    def settings(self) -> SettingsService | None:
        """The settings of the container, once started."""
        return next((one.value for one in self._entered.values() if isinstance(one.value, SettingsService)), None)

    @property
    def values(self) -> dict[str, Any]:
        """The started objects by name."""
        return {one.node.name: one.value for one in self._entered.values() if one.record.state is State.STARTED}

    def preview(self) -> Report:
        """What a start would do, without starting anything."""
        plan = self._plan(())
        return Report(services=[*map(record_of, plan.nodes), *left_out(plan)])

    async def start(self, only: Iterable[ProviderLike] = ()) -> Report:
        """Start what is planned and not yet started.

        A service starts as soon as the last of those it needs has. If a required one fails, or the caller is
        cancelled, what this call began is stopped in reverse before the error leaves.

        Raises:
            CycleError: Providers need each other in a circle; none has been called.
            ConfigurationError: A setting is wrong, or missing; none has been started.
            StartError: Services failed; names each, and why.
        """
        async with self._exclusive():
            plan = self._plan(only)
            refuse_incomplete(plan)
            self._stop_budget = plan.stop_budget
            records = self._begin_report(plan)
            if not records:
                return self.report
            begun = time.perf_counter()
            failures = _Failures()
            cancelled = await supervise(
                [self._start_step(node, records[node.provider]) for node in plan.nodes if node.provider in records],
                lambda key, outcome: self._settle_start(records[key], outcome, failures),
                verb="start",
                give_up_when_cancelled=True,
            )
            if cancelled is None and not failures.errors and plan.whole:
                cancelled = await self._examine(plan)
            if cancelled is not None or failures.errors:
                rollback, cancelled = await self._stop(records, cancelled)
                self.report.start_ms = _milliseconds(begun)
                raise cancelled or StartError(failures.errors, failures.reasons, rollback.errors)
            self.report.start_ms = _milliseconds(begun)
            self._log_start()
            return self.report

    async def stop(self) -> Report:
        """Stop all that is started: dependants first, independents together, each within its time.

        Neither an error nor a cancellation ends it early: the caller leaves when all is stopped, or when the budget
        of ``server.stop_timeout`` is used up.

        Raises:
            StopError: Services failed to stop; names each, and why.
        """
        lock = self._exclusive()
        cancelled = await acquire_uninterrupted(lock)
        try:
            failures = _Failures()
            if self._entered:
                begun = time.perf_counter()
                failures, cancelled = await self._stop(self._entered, cancelled)
                self.report.stop_ms = _milliseconds(begun)
                _log.info("services stopped", ms=round(self.report.stop_ms), failed=list(failures.errors))
            if cancelled is not None:
                raise cancelled
            if failures.errors:
                raise StopError(failures.errors, failures.reasons)
            return self.report
        finally:
            lock.release()

    # Start

    def _begin_report(self, plan: Plan) -> dict[ProviderLike, Record]:
        """Write the report of the coming start; return the records of what has to be started."""
        kept = {key: one.record for key, one in self._entered.items() if one.record.state is State.STARTED}
        fresh = {node.provider: record_of(node) for node in plan.nodes if node.provider not in kept}
        planned = [fresh.get(node.provider) or kept.pop(node.provider) for node in plan.nodes]
        self.report = Report(
            services=[*kept.values(), *planned, *left_out(plan)],
            start_ms=None if fresh else self.report.start_ms,
        )
        return fresh

    def _start_step(self, node: Node, record: Record) -> Step[ProviderLike]:
        # An interrupted start undoes what it did, which is a stop: that is its grace.
        limits = Limits(timeout=node.policy.start_timeout, grace=node.policy.stop_timeout)
        return Step(
            key=node.provider,
            after=frozenset(other.provider for other in node.needs | node.follows),
            run=lambda: self._entering.enter(node, record),
            limits=lambda: limits,
        )

    def _settle_start(self, record: Record, outcome: Outcome, failures: _Failures) -> bool:
        record.start_ms = outcome.seconds * 1e3
        if outcome.cancelled:
            record.state = State.CANCELLED
        elif outcome.error is None:
            record.state = State.STARTED
            _log.debug("service started", service=record.name, backend=record.backend, ms=round(record.start_ms, 1))
        else:
            record.state = State.FAILED
            record.error = self._in_words(outcome.error)
            _log.error("service did not start", service=record.name, error=record.error, required=record.required)
            if record.required:
                failures.add(record.name, outcome.error, record.error)
        return not failures.errors

    async def _examine(self, plan: Plan) -> asyncio.CancelledError | None:
        """Run the checks of what is started; return the cancellation of the caller, if there was one."""
        settings = self.settings
        if settings is None:
            return None
        self.report.aliases = dict(settings.aliases)
        try:
            self.report.findings = await examine(
                self.values, settings, backends_of(plan), started=True, timeout=_PATIENCE
            )
        except asyncio.CancelledError as error:
            return error
        for one in self.report.findings:
            write = _log.info if one.severity is Severity.NOTE else _log.warning
            write("check", check=one.check, severity=one.severity, what=one.what, fix=one.fix)
        return None

    def _log_start(self) -> None:
        _log.info(
            "services started",
            count=len(self._entered),
            ms=round(self.report.start_ms or 0),
            degraded=self.report.degraded,
            not_needed=[one.name for one in self.report.services if one.state is State.NOT_NEEDED],
        )

    # Stop

    async def _stop(
        self, keys: Iterable[ProviderLike], cancelled: asyncio.CancelledError | None
    ) -> tuple[_Failures, asyncio.CancelledError | None]:
        """Stop these, whatever happens; return what failed, and the cancellation of the caller if there was any."""
        leaving = {key: self._entered[key] for key in keys if key in self._entered}
        needs = {
            key: {other.provider for other in one.node.needs | one.node.follows} & set(leaving)
            for key, one in leaving.items()
        }
        budget = StopBudget(self._stop_budget, needs)
        steps = [
            Step(
                key=key,
                after=frozenset(other for other in leaving if key in needs[other]),
                run=functools.partial(leave, entered),
                limits=functools.partial(budget.share, key, entered.node.policy.stop_timeout),
            )
            for key, entered in leaving.items()
        ]
        failures = _Failures()
        again = await supervise(
            steps,
            lambda key, outcome: self._settle_stop(self._entered.pop(key).record, outcome, failures),
            verb="stop",
            give_up_when_cancelled=False,
        )
        return failures, cancelled or again

    def _settle_stop(self, record: Record, outcome: Outcome, failures: _Failures) -> bool:
        record.stop_ms = outcome.seconds * 1e3
        if record.state is State.STOPPING:
            record.state = State.STOPPED
        if outcome.error is not None:
            why = self._in_words(outcome.error)
            failures.add(record.name, outcome.error, why)
            record.error = record.error or why
            _log.error("service did not stop cleanly", service=record.name, error=why)
        return True

    def _in_words(self, error: BaseException) -> str:
        # The text of a foreign exception may carry an address with a password.
        text = hide_credentials(reason(error))
        return self._entering.redactor.text(text) if self._entering.redactor else text

    def _exclusive(self) -> asyncio.Lock:
        # One lock for each loop: a container may be started in several, one after another.
        loop = asyncio.get_running_loop()
        if self._gate is None or self._gate[0] is not loop:
            self._gate = loop, asyncio.Lock()
        return self._gate[1]


def _milliseconds(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3
