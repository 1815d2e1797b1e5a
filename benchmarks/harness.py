"""Interleaved measurements: pairs of subject and peer, the median of their ratios and its interval."""

import asyncio
import gc
import inspect
import statistics
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

__all__ = ["Aim", "Measure", "Row", "absolute", "ratio"]

Measure = Callable[[], float] | Callable[[], Awaitable[float]]


class Aim(msgspec.Struct, frozen=True):
    """What a figure should be: at most, or at least, a bound."""

    relation: Literal["≤", "≥", "="]
    bound: float

    def text(self, unit: str) -> str:
        """The aim for people."""
        return f"{self.relation} {self.bound:g}{unit}"

    def met(self, median: float) -> bool:
        """Whether the median is within the aim."""
        if self.relation == "≤":
            return median <= self.bound
        if self.relation == "≥":
            return median >= self.bound
        return median == self.bound


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the results.

    Attributes:
        name: What was measured.
        value: Its median, in ``unit``.
        unit: Unit of ``value``, and for an absolute aim of ``low`` and ``high``.
        against: The peer; None for an absolute aim.
        against_value: The peer's median, in ``unit``.
        ratio: Median of the pairwise ratios of subject to peer.
        low: Lower end of the 95 % interval of the median.
        high: Upper end of it.
        aim: The aim as text; None for a figure shown beside.
        met: Whether it is met; None without an aim.
    """

    name: str
    value: float
    unit: str
    against: str | None
    against_value: float | None
    ratio: float | None
    low: float
    high: float
    aim: str | None
    met: bool | None


def _run(measure: Measure, runner: asyncio.Runner) -> float:
    result = measure()
    if inspect.isawaitable(result):

        async def wait() -> float:
            return await result

        return runner.run(wait())
    return result


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median by order statistics (binomial, normal approximation)."""
    ordered = sorted(values)
    half = 0.98 * len(ordered) ** 0.5
    middle = (len(ordered) - 1) / 2
    low = max(0, int(middle - half))
    high = min(len(ordered) - 1, round(middle + half + 0.5))
    return ordered[low], ordered[high]


def ratio(
    name: str,
    subject: Measure,
    peer: Measure,
    *,
    against: str,
    unit: str,
    aim: Aim | None,
    runner: asyncio.Runner,
    rounds: int = 15,
) -> Row:
    """Measure subject and peer in turns, ``rounds`` times after one round to warm up.

    Args:
        name: What is measured.
        subject: Returns one measurement, in ``unit``.
        peer: Returns one measurement of the peer, in ``unit``.
        against: What the peer is.
        unit: Unit of both.
        aim: Aim of the ratio; None to show it only.
        runner: The event loop that asynchronous measurements run in.
        rounds: How many pairs.
    """
    _run(peer, runner)
    _run(subject, runner)
    values, peers = [], []
    for turn in range(rounds):
        gc.collect()
        first, second = (subject, peer) if turn % 2 else (peer, subject)
        one, two = _run(first, runner), _run(second, runner)
        value, other = (one, two) if turn % 2 else (two, one)
        values.append(value)
        peers.append(other)
    ratios = [value / other for value, other in zip(values, peers, strict=True)]
    low, high = _interval(ratios)
    return Row(
        name=name,
        value=statistics.median(values),
        unit=unit,
        against=against,
        against_value=statistics.median(peers),
        ratio=statistics.median(ratios),
        low=low,
        high=high,
        aim=aim.text("×") if aim else None,
        met=aim.met(statistics.median(ratios)) if aim else None,
    )


def absolute(name: str, subject: Measure, *, unit: str, aim: Aim, runner: asyncio.Runner, rounds: int = 15) -> Row:
    """Measure something that has a limit of its own."""
    _run(subject, runner)
    values = [_run(subject, runner) for _ in range(rounds)]
    low, high = _interval(values)
    return Row(
        name=name,
        value=statistics.median(values),
        unit=unit,
        against=None,
        against_value=None,
        ratio=None,
        low=low,
        high=high,
        aim=aim.text(f" {unit}"),
        met=aim.met(statistics.median(values)),
    )
