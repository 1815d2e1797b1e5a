"""How often each public operation of each service was called, how long it took, and how it ended."""

import threading
import time
from asyncio import CancelledError
from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Literal

import msgspec
from prometheus_client.samples import Exemplar

from bedplate.services.errors import BedplateError
from bedplate.services.telemetry.meter import Meter
from bedplate.services.telemetry.observed import Observation
from bedplate.services.telemetry.observed_histogram import Distribution

__all__ = ["BUCKETS", "Kind", "OperationStats", "OperationTable", "Probe", "outcome_of"]

BUCKETS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the durations that are counted together, in seconds."""

_failing = threading.Lock()

OK = "ok"
CANCELLED = "cancelled"

Kind = Literal["call", "coroutine", "block", "stream"]
"""What the method of an operation is: a plain function, a coroutine function, a context manager or a generator."""


class OperationStats(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one operation since the process began.

    Attributes:
        service: The name of the service in the container.
        operation: The name of the method; one of a part of the service as ``"users.create"``.
        calls: How many have ended.
        outcomes: How many ended in which way: ``"ok"``, ``"cancelled"``, the code of an error of Bedplate's, or
            ``"error"`` for any other exception.
        seconds: How long all of them took together; of a stream or a block, until it was closed.
        buckets: How many took at most as long as each of :data:`BUCKETS` and longer than the one before; the last: how
            many took longer than all of them.
        last_error: The outcome of the last that failed; None if none has.
        last_error_at: When that was.
    """

    service: str
    operation: str
    calls: int
    outcomes: dict[str, int]
    seconds: float
    buckets: tuple[int, ...]
    last_error: str | None = None
    last_error_at: datetime | None = None

    @property
    def errors(self) -> int:
        """How many failed; those that were cancelled did not."""
        return self.calls - self.outcomes.get(OK, 0) - self.outcomes.get(CANCELLED, 0)

    @property
    def mean(self) -> float:
        """How long one took on average, in seconds; 0 if none has ended."""
        return self.seconds / self.calls if self.calls else 0.0

    def quantile(self, share: float) -> float:
        """About how many seconds this share of the calls took at most, from the buckets; 10 for all that took longer.

        Args:
            share: Between 0 and 1, such as 0.95.
        """
        rank, below, bound = share * self.calls, 0, 0.0
        for count, upper in zip(self.buckets, BUCKETS, strict=False):
            if count and below + count >= rank:
                return bound + (upper - bound) * max(0.0, rank - below) / count
            below, bound = below + count, upper
        return bound if self.calls else 0.0


class Probe:
    """Counts and times one operation. A call is put between :meth:`enter` and :meth:`leave`.

    Nothing is locked but failures: each number is changed by a statement in the middle of which CPython switches no
    threads.
    """

    __slots__ = ("buckets", "failures", "last_error", "operation", "seconds", "service")

    def __init__(self, service: str, operation: str) -> None:
        self.service = service
        self.operation = operation
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.failures: dict[str, int] = {}
        self.last_error: tuple[str, float] | None = None

    enter: Callable[[], Any] = staticmethod(perf_counter)
    """Begin a call; what it returns is what :meth:`leave` is given."""

    def leave(self, begun: Any, error: BaseException | None) -> None:
        """End a call: ``error`` is what it raised, None if it returned."""
        self._count(perf_counter() - begun, error)

    def exemplars(self) -> dict[int, Exemplar]:
        """By the number of the bucket, one of the calls and the trace that it is in; none where nothing is traced."""
        return {}

    def stats(self) -> OperationStats:
        """What has happened so far."""
        failures = dict(self.failures)
        buckets = tuple(self.buckets)
        calls = sum(buckets)
        last = self.last_error
        return OperationStats(
            service=self.service,
            operation=self.operation,
            calls=calls,
            outcomes={OK: max(0, calls - sum(failures.values())), **failures},
            seconds=self.seconds,
            buckets=buckets,
            last_error=last[0] if last else None,
            last_error_at=datetime.fromtimestamp(last[1], UTC) if last else None,
        )

    def _count(self, seconds: float, error: BaseException | None) -> int:
        number = bisect_left(BUCKETS, seconds)
        self.seconds += seconds
        self.buckets[number] += 1
        if error is not None:
            self._fail(outcome_of(error))
        return number

    def _fail(self, outcome: str) -> None:
        with _failing:
            self.failures[outcome] = self.failures.get(outcome, 0) + 1
        if outcome != CANCELLED:
            self.last_error = outcome, time.time()


class OperationTable:
    """The probes of all operations of all services, each once.

    Args:
        meter: What shows them to whoever scrapes.
        make: Makes a probe.
    """

    def __init__(self, meter: Meter, make: Callable[[str, str, Kind], Probe]) -> None:
        self._make = make
        self._probes: dict[tuple[str, str], Probe] = {}
        # The names come from code, and so do the codes of errors: they need no limit.
        meter.observe_counter(
            "bedplate_service_operations",
            "Calls of public operations of services, by how they ended.",
            self._counts,
            labels=("service", "operation", "outcome"),
            limited=False,
        )
        meter.observe_histogram(
            "bedplate_service_operation_duration_seconds",
            "How long public operations of services took.",
            self._durations,
            labels=("service", "operation"),
            buckets=BUCKETS,
            limited=False,
        )

    def probe(self, service: str, operation: str, kind: Kind = "coroutine") -> Probe:
        """The probe of an operation."""
        key = service, operation
        if key not in self._probes:
            self._probes[key] = self._make(service, operation, kind)
        return self._probes[key]

    def stats(self, service: str | None = None) -> list[OperationStats]:
        """What is known of the operations of one service, or of all, in the order of their names."""
        return [
            probe.stats()
            for key, probe in sorted(self._probes.items(), key=lambda item: item[0])
            if service in (None, key[0])
        ]

    def _counts(self) -> Iterable[Observation]:
        for one in self.stats():
            for outcome, count in one.outcomes.items() if one.calls else ():
                yield count, {"service": one.service, "operation": one.operation, "outcome": outcome}

    def _durations(self) -> Iterable[Distribution]:
        for probe in tuple(self._probes.values()):
            counts, seconds = tuple(probe.buckets), probe.seconds
            if any(counts):
                labels = {"service": probe.service, "operation": probe.operation}
                yield Distribution(labels=labels, counts=counts, sum=seconds, exemplars=probe.exemplars())


def outcome_of(error: BaseException | None) -> str:
    """How a call that raised this ended, in one word of a bounded number of words."""
    if error is None:
        return OK
    if isinstance(error, CancelledError | GeneratorExit):
        return CANCELLED
    return error.code if isinstance(error, BedplateError) else BedplateError.code
